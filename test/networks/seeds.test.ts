import { describe, expect, test } from "vitest";
import { readGolden } from "../support/golden";
import {
  expectClose,
  expectTensor,
  expectWithin,
  inFloat64,
  lossBounds,
  recordErrors,
  squareInFloat64,
  storedRounding,
  trajectoryBounds,
} from "../support/parity";
import { expectFinal, type Started, started } from "./reference-runs";
import { FORMS, type Form, moons, opened, randomParameters, rowBiases, type Seed, twoLayer, twoTwoOne } from "./seeds";

const SQUARES = [
  ["seed-000", twoLayer],
  ["seed-001", rowBiases],
  ["seed-002", twoLayer],
] as const;

describe("the float64 reference against NumPy's float64", () => {
  const wholeRuns = [
    ["seed-000", "handwritten", twoLayer],
    ["seed-001", "handwritten", rowBiases],
    ["seed-001", "grad", rowBiases],
    ["seed-002", "grad", twoLayer],
  ] as const;
  test.each(wholeRuns)("%s, %s: the whole run", async (name, form, build) => {
    const golden = await readGolden(name);
    const { session, inputs } = started(build(form).program, golden);
    const losses = golden.values("losses");
    const { loss } = session.run(inputs, { steps: losses.length }) as { loss: Float64Array };
    expectClose("loss", loss, losses, lossBounds(golden).map(squareInFloat64));
    expectFinal(session, golden);
  });

  test.each(SQUARES)("%s: every value of the first step, in both forms", async (name, build) => {
    const golden = await readGolden(name);
    const first = golden.group("first");
    for (const form of FORMS) {
      const seed = build(form);
      const { session, inputs } = started(opened(seed), golden);
      const values = session.run(inputs);
      for (const key of Object.keys(seed.intermediates)) {
        const want = first[key];
        if (want === undefined) continue;
        // Sums of at most 1000 products: K · 2⁻⁵³ of the largest, were all of one sign.
        expectTensor(`${form} ${key}`, values[key] as Float64Array, want, 1000 * 2 ** -53 + storedRounding(want));
      }
      const checked = Object.keys(seed.intermediates);
      if (form === "handwritten") expect(checked).toEqual(expect.arrayContaining(Object.keys(first)));
    }
  });

  test("seed-003: the printed table digit by digit, 100 epochs of loss and gradients", async () => {
    const [golden, float32] = [await readGolden("seed-003"), await readGolden("seed-003-float32")];
    const seed = twoTwoOne("handwritten");
    const { session, inputs } = started(opened(seed), golden);
    const columns = new Map<string, number[]>();
    for (let epoch = 0; epoch < 100; epoch++) {
      for (const [name, values] of Object.entries(session.run(inputs))) {
        columns.set(name, [...(columns.get(name) ?? []), ...values]);
      }
    }
    const digits = (values: ArrayLike<number>) => Array.from(values, (value) => value.toFixed(6));
    const losses = columns.get("loss") as number[];
    expect(digits(losses)).toEqual(digits(golden.values("losses")));
    expectClose("loss", losses, golden.values("losses"), lossBounds(golden).map(squareInFloat64));
    for (const name of Object.keys(seed.gradients)) {
      const got = columns.get(`grad.${name}`) as number[];
      const want = golden.values(`${name}_grad`);
      expect(digits(got), name).toEqual(digits(want));
      const bounds = trajectoryBounds(recordErrors(float32.values(`${name}_grad`), want, 100));
      expectWithin(`gradient of ${name}`, recordErrors(got, want, 100), bounds.map(inFloat64));
    }
    expectFinal(session, golden);
  });

  test("seed-003 with the loss's own gradients: the run of the mended program", async () => {
    const golden = await readGolden("seed-003-right");
    const { session, inputs } = started(twoTwoOne("grad").program, golden);
    const { loss } = session.run(inputs, { steps: 100 }) as { loss: Float64Array };
    expectClose("loss", loss, golden.values("losses"), lossBounds(golden).map(squareInFloat64));
  });
});

describe("the hand-written backward pass and grad()", () => {
  const cases: (readonly [string, (form: Form) => Seed])[] = [
    ...SQUARES,
    ["seed-004", (form) => moons(form, 3)],
    ["seed-004-h1", (form) => moons(form, 1)],
  ];

  test.each(cases)("%s: agree on every gradient and update of a step", async (name, build) => {
    const golden = await readGolden(name);
    const [byHand, byGrad] = FORMS.map((form) => started(opened(build(form)), golden)) as [Started, Started];
    const { gradients, program } = build("handwritten");
    for (const state of [{}, randomParameters(program, 1), randomParameters(program, 2)]) {
      for (const { session } of [byHand, byGrad]) session.write(state);
      const [want, got] = [byHand.session.run(byHand.inputs), byGrad.session.run(byGrad.inputs)];
      for (const parameter of Object.keys(gradients)) {
        const key = `grad.${parameter}`;
        // The same sums, of at most K = 1000 products, in at most another order.
        expectTensor(key, got[key] as Float64Array, want[key] as Float64Array, 1000 * 2 ** -53);
        expectTensor(parameter, byGrad.session.read(parameter), byHand.session.read(parameter), 1000 * 2 ** -53);
      }
    }
  });

  test("seed-003: grad() gives the derivatives of the loss, by central differences", async () => {
    const { session, inputs } = started(opened(twoTwoOne("grad")), await readGolden("seed-003"));
    const { parameters } = twoTwoOne("grad").program;
    const state = Object.fromEntries(Object.keys(parameters).map((name) => [name, session.read(name)]));
    const gradients = session.run(inputs);
    const lossAt = (name: string, index: number, shift: number) => {
      const moved = (state[name] as Float64Array).map((value, i) => (i === index ? value + shift : value));
      session.write({ ...state, [name]: moved });
      return session.run(inputs).loss?.[0] as number;
    };
    for (const name of Object.keys(parameters)) {
      const got = gradients[`grad.${name}`] as Float64Array;
      const want = got.map((_, i) => (lossAt(name, i, 1e-6) - lossAt(name, i, -1e-6)) / 2e-6);
      expectClose(name, got, want, 1e-6); // parity.md, "gradient": step 1e-6, rtol 1e-6
    }
  });

  test("seed-003: by hand, only the gradient of b2 is the loss's; that of W2 is twice, W1 and b1 are wrong", async () => {
    const golden = await readGolden("seed-003");
    const [byHand, byGrad] = FORMS.map((form) => {
      const { session, inputs } = started(opened(twoTwoOne(form)), golden);
      return session.run(inputs);
    }) as [Record<string, Float64Array>, Record<string, Float64Array>];
    const right = (name: string) => byGrad[`grad.${name}`] as Float64Array;
    const kept = (name: string) => byHand[`grad.${name}`] as Float64Array;
    expectTensor("b2", kept("b2"), right("b2"), 1e-15);
    expectTensor(
      "W2",
      kept("W2"),
      right("W2").map((value) => 2 * value),
      1e-15,
    );
    expect(() => expectTensor("W1", kept("W1"), right("W1"), 0.5)).toThrow("W1");
    expect(() => expectTensor("b1", kept("b1"), right("b1"), 0.1)).toThrow("b1");
  });
});
