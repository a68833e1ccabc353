import { afterEach, expect, test } from "vitest";
import { input, type Program, parameter, type Tensor } from "../../src/index";
import { sizeOf } from "../../src/util/shape";
import type { Dispatch, PersistentStep, Target } from "../../src/webgpu/codegen/plan";
import { normal } from "../graph/numbers";
import { classifier, descent, twoLayer } from "../plan/programs";
import { openOther } from "./other-device";

const { createShaderModule } = GPUDevice.prototype;
afterEach(() => {
  GPUDevice.prototype.createShaderModule = createShaderModule;
});

/** A persistent kernel that counts each look at a loop's condition, and leaves the first thread's count, and that of its steps, as the first record. */
function counted(source: string): string {
  const loops = source.replace(/for \(([^;]*); ([^;]*); /g, "for ($1; looked($2); ");
  const end = loops.indexOf("\n}", loops.indexOf("fn main(")) + 1;
  return `${loops.slice(0, end)}  if (local == 0u) { history[0] = f32(looks * 64u + run.x); }
${loops.slice(end)}
var<private> looks = 0u;
fn looked(more: bool) -> bool { looks += 1u; return more; }
`;
}

/** The turns of one step and those beside it: as the plan has them, and as they were counted. */
async function turnsOf(program: Program, target: Partial<Target>) {
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    const { code } = descriptor;
    const whole = code.includes("var<workgroup> memory: ");
    return createShaderModule.call(this, whole ? { ...descriptor, code: counted(code) } : descriptor);
  };
  const device = await openOther({ route: "persistent", ...target });
  try {
    const runner = await device.runner(program);
    expect(runner.plan.route).toBe("persistent");
    const { turns, turnsOnce } = (runner.plan.step[0] as Dispatch).persistent as PersistentStep;
    const inputs = Object.fromEntries(
      Object.entries(program.inputs).map(([name, { shape, dtype }]) => [
        name,
        dtype === "int32" ? new Int32Array(sizeOf(shape)) : normal(sizeOf(shape), 1),
      ]),
    );
    const looked = async (steps: number) => {
      const first = (await runner.run(inputs, { steps, every: 1 })).loss?.[0] as number;
      return { looks: Math.floor(first / 64), steps: first % 64 };
    };
    const one = await looked(1);
    // At first a slow machine is given one step at a time.
    let more = one;
    while (more.steps === 1) more = await looked(8);
    runner.dispose();
    const step = (more.looks - one.looks) / (more.steps - 1);
    return { turns, turnsOnce, step, once: one.looks - step };
  } finally {
    device.close();
  }
}

/** Layers, and reductions of every kind along long and short rows, with or without values that the next product waits for. */
function reducing(rows: number, columns: number): Program {
  const x = input([rows, columns]);
  const w = parameter([columns, 3]);
  const scores = x
    .sub(x.mean(0))
    .softmax()
    .sub(x.max(1, { keepDims: true }))
    .matmul(w);
  const loss = scores.square().mean().add(scores.argmax(1).toFloat32().max());
  return { inputs: { x }, parameters: { w }, outputs: { loss }, updates: descent(scores.square().sum(), { w }, 0.1) };
}

const software = { software: true };
const gpu = { software: false, subgroupSize: 0 };
const cases: Record<string, [Program, Partial<Target>]> = {
  "a loop over the rows in a subgroup": [lossOf(classifier(100, 2, 8, 3)), software],
  "a loop over the rows with all weights held": [lossOf(classifier(101, 2, 3, 2)), software],
  "a loop over the rows without subgroups": [lossOf(classifier(100, 2, 8, 3)), { ...software, subgroupSize: 0 }],
  "a loop over the rows on a GPU": [lossOf(classifier(700, 3, 5, 2)), gpu],
  "products through workgroup memory": [twoLayer(7, 30, 11, 3), software],
  "products through workgroup memory on a GPU": [twoLayer(7, 30, 11, 3), gpu],
  "reductions along rows": [reducing(5, 150), software],
  "sums of sums along several rows a thread": [reducing(6, 70), software],
  "reductions along rows on a GPU": [reducing(5, 150), gpu],
  "reductions along many rows on a GPU": [reducing(90, 9), gpu],
};

function lossOf({ outputs, ...program }: Program): Program {
  return { ...program, outputs: { loss: outputs.loss as Tensor } };
}

test.each(Object.entries(cases))(
  "%s: no thread takes more turns than the plan says, nor many fewer",
  async (_, [program, target]) => {
    const { turns, turnsOnce, step, once } = await turnsOf(program, target);
    expect(step).toBeGreaterThan(1);
    expect(step).toBeLessThanOrEqual(turns);
    expect(turns).toBeLessThanOrEqual(Math.ceil(1.05 * step) + 1);
    expect(once).toBeLessThanOrEqual(turnsOnce);
    expect(turnsOnce).toBeLessThanOrEqual(once + 1);
  },
);
