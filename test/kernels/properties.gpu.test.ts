import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Device, open, type Program, parameter, reference, type Tensor } from "../../src/index";
import { sizeOf } from "../../src/util/shape";
import { normal } from "../graph/numbers";
import { randomGraphs } from "../graph/random-graphs";
import { type OtherDevice, openOther } from "./other-device";

let device: Device;
let recorded: Device;
let other: OtherDevice;
beforeAll(async () => {
  device = await open({ backend: "webgpu" });
  recorded = await open({ backend: "webgpu", route: "recorded" });
  other = await openOther({ route: "recorded" });
});
afterAll(() => {
  device.close();
  recorded.close();
  other.close();
});

/** A failure prints the seed and the path that repeat it: give them here as `seed` and `path`. */
const options: fc.Parameters<unknown> = { numRuns: 40, seed: 20, interruptAfterTimeLimit: 40_000, endOnFailure: false };

/** Random graphs, their gradients and updates included, against float64. */
async function agrees(on: () => Pick<Device, "compile">, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(randomGraphs, async ({ program, parameters, inputs, steps }) => {
      const session = await on().compile(program);
      try {
        session.write(parameters);
        const report = await session.verify(inputs);
        if (!report.ok) throw new Error(`${steps.join(" ")}\n${report}\n${session.explain()}`);
      } finally {
        session.dispose();
      }
    }),
    { ...options, numRuns },
  );
}

test("random graphs agree with float64", () => agrees(() => recorded, 40));
test("so they do by the route that is chosen for them", () => agrees(() => device, 15));
test("so they do with the kernels meant for the other kind of device", () => agrees(() => other, 15));

/** Updates in place: each of three parameters becomes an expression of itself and the others. */
const updates: fc.Arbitrary<{ program: Program; steps: string[] }> = fc
  .array(fc.tuple(fc.nat(5), fc.nat(2), fc.nat(2)), { minLength: 3, maxLength: 3 })
  .map((choices) => {
    const parameters = { a: parameter([5, 5]), b: parameter([5, 5]), c: parameter([5, 5]) };
    const all = Object.values(parameters);
    const forms: [string, (x: Tensor, y: Tensor) => Tensor][] = [
      ["copy", (_x, y) => y],
      ["sum", (x, y) => x.mul(0.5).add(y.mul(0.25))],
      ["transpose", (x, y) => x.T.sub(y).tanh()],
      ["product", (x, y) => x.matmul(y).mul(0.2)],
      ["rows", (x, y) => x.sub(y.max(1, { keepDims: true })).tanh()],
      ["softmax", (x, y) => x.softmax(0).sub(y.T.sum(0).mul(0.1))],
    ];
    const changed = Object.keys(parameters).map((name, i) => {
      const [form, x, y] = choices[i] as [number, number, number];
      const [title, build] = forms[form] as (typeof forms)[number];
      return [name, build(all[x] as Tensor, all[y] as Tensor), `${name} = ${title}(${"abc"[x]}, ${"abc"[y]})`] as const;
    });
    return {
      program: { inputs: {}, parameters, outputs: {}, updates: Object.fromEntries(changed) },
      steps: changed.map(([, , title]) => title),
      [fc.toStringMethod]: () => changed.map(([, , title]) => title).join("; "),
    };
  });

test("parameters are replaced all at once, whatever reads and writes whatever", async () => {
  await fc.assert(
    fc.asyncProperty(updates, async ({ program, steps }) => {
      const session = await device.compile(program);
      try {
        const values = Object.fromEntries(
          Object.entries(program.parameters).map(([name, { shape }], i) => [name, normal(sizeOf(shape), i + 1)]),
        );
        session.write(values);
        const report = await session.verify({});
        if (!report.ok) throw new Error(`${steps.join("; ")}\n${report}\n${session.explain()}`);
        // Three steps at once: what one step leaves behind the next one reads.
        const judge = reference(program);
        judge.write(values);
        judge.run({}, { steps: 3 });
        await session.run({}, { steps: 3 });
        for (const name of Object.keys(values)) {
          const [got, expected] = [await session.read(name), judge.read(name)];
          const scale = Math.max(1, ...expected.map(Math.abs));
          const worst = Math.max(...expected.map((value, i) => Math.abs(value - (got[i] as number)))) / scale;
          if (!(worst < 1e-4))
            throw new Error(`${steps.join("; ")}\n${name} is off by ${worst} after 3 steps\n${session.explain()}`);
        }
      } finally {
        session.dispose();
      }
    }),
    options,
  );
});

test("all sessions gone, the device holds nothing", () => {
  expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
});
