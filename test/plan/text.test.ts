import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  adam,
  binaryCrossEntropy,
  dense,
  dropout,
  input,
  type Loss,
  type Optimizer,
  type Program,
  parameter,
  rmsprop,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  type Tensor,
} from "../../src/index";
import { Criterion } from "../../src/nn/losses";
import { Sequential } from "../../src/nn/model";
import { Rule } from "../../src/nn/optimizers";
import { evaluationProgram, predictionProgram, trainingProgram } from "../../src/nn/programs";
import { compile, mayBePersistent } from "../../src/webgpu/codegen/compile";
import type { Route, Target } from "../../src/webgpu/codegen/plan";
import { randomGraphs } from "../graph/random-graphs";
import { descent, HARDWARE, makersOf, SOFTWARE } from "./programs";

const TARGETS: readonly Target[] = [
  SOFTWARE,
  { ...SOFTWARE, subgroupSize: 4 },
  HARDWARE,
  { ...HARDWARE, subgroupSize: 32, maxWorkgroupBytes: 65_536 },
];

/** The longest text of a kernel on either route, in bytes of UTF-8. Each route is planned where there is one. */
function longest(program: Program, target: Target): number {
  const routes: Route[] = ["recorded", "persistent"];
  const plans = routes.map((route) => {
    const on = { ...target, route };
    return compile(program, on, makersOf(on, mayBePersistent(program, on) ? undefined : "recorded"));
  });
  const kernels = plans.flatMap(({ step, deferred: tail }) => [...step, ...(tail ? [tail] : [])]);
  return Math.max(...kernels.map(({ source }) => new TextEncoder().encode(source).length));
}

const LIMIT = 65_536;
const options = { seed: 11, interruptAfterTimeLimit: 50_000, endOnFailure: true };

const losses: Record<string, () => Loss> = { squaredError, softmaxCrossEntropy, binaryCrossEntropy };
const optimizers: Record<string, () => Optimizer> = {
  sgd: () => sgd({ lr: 0.1 }),
  momentum: () => sgd({ lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
  adam: () => adam({ lr: 0.01, weightDecay: 0.1 }),
  rmsprop: () => rmsprop({ lr: 0.01, momentum: 0.7 }),
};

interface Network {
  readonly inputs: number;
  readonly units: readonly number[];
  readonly activation: "linear" | "relu" | "tanh" | "sigmoid";
  readonly drops: boolean;
  readonly l2: number;
  readonly loss: string;
  readonly optimizer: string;
  readonly rows: number;
  readonly batch: number | null;
  readonly target: number;
}

/** Mostly networks whose text is near the limit: a few layers of a few dozen units. */
const width = fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 1, max: 64 }) }, fc.integer({ min: 65, max: 512 }));
const networks: fc.Arbitrary<Network> = fc.record({
  inputs: width,
  units: fc.oneof(
    { weight: 3, arbitrary: fc.array(width, { minLength: 1, maxLength: 4 }) },
    fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 5, maxLength: 20 }),
  ),
  activation: fc.constantFrom("linear", "relu", "tanh", "sigmoid"),
  drops: fc.boolean(),
  l2: fc.constantFrom(0, 0.01),
  loss: fc.constantFrom(...Object.keys(losses)),
  optimizer: fc.constantFrom(...Object.keys(optimizers)),
  rows: fc.integer({ min: 1, max: 300 }),
  batch: fc.option(fc.integer({ min: 1, max: 64 })),
  target: fc.nat(TARGETS.length - 1),
});

/** What a trainer of this network compiles: a step, an evaluation, a prediction. */
function programsOf({ inputs, units, activation, drops, l2, loss, optimizer, rows, batch }: Network): Program[] {
  const layers = units.flatMap((width, i) => {
    const last = i === units.length - 1;
    const layer = dense(width, { activation: last ? "linear" : activation, l2 });
    return drops && !last ? [layer, dropout(0.3)] : [layer];
  });
  const model = sequential(inputs, layers, { seed: 1 });
  const criterion = losses[loss]?.();
  const rule = optimizers[optimizer]?.();
  if (!(model instanceof Sequential) || !(criterion instanceof Criterion) || !(rule instanceof Rule))
    throw new TypeError();
  const kind = loss === "softmaxCrossEntropy" ? "classes" : "values";
  return [
    trainingProgram(model, criterion, rule, { rows, batch, ragged: batch !== null, kind, steps: 1024 }),
    evaluationProgram(model, criterion, rows, Math.min(rows, 256), kind),
    predictionProgram(model, criterion, rows),
  ];
}

describe("no kernel's text is longer than 64 KiB, on either route and on any adapter", () => {
  test("of trainers, their evaluations and predictions", () => {
    fc.assert(
      fc.property(networks, (network) => {
        for (const program of programsOf(network))
          expect(longest(program, TARGETS[network.target] as Target)).toBeLessThan(LIMIT);
      }),
      { ...options, numRuns: 60 },
    );
  });

  test.each([
    ["three layers of 32", 32, [32, 32, 32, 1]],
    ["layers whose loop over the rows would be too long", 8, [16, 16, 16, 4]],
    ["a layer of 60", 60, [60, 60]],
    ["twenty layers of 8", 8, Array.from({ length: 20 }, () => 8)],
    ["a wide layer", 2, [512, 2]],
  ] as const)("of %s", (_, inputs, units) => {
    const network = { inputs, units, activation: "tanh", drops: true, l2: 0.01, optimizer: "adam", batch: 32 } as const;
    for (const target of TARGETS) {
      const whole = { ...network, target: 0, rows: 200 };
      for (const loss of ["squaredError", "softmaxCrossEntropy"])
        for (const program of programsOf({ ...whole, loss })) expect(longest(program, target)).toBeLessThan(LIMIT);
    }
  });

  test("of random graphs", () => {
    fc.assert(
      fc.property(randomGraphs, fc.constantFrom(...TARGETS), ({ program }, target) => {
        expect(longest(program, target)).toBeLessThan(LIMIT);
      }),
      { ...options, numRuns: 60 },
    );
  });

  const x = input([24, 16]);
  const w = parameter([16, 16]);
  const range = Array.from({ length: 400 }, (_, i) => i);
  /** Operations that no two of are equal, each of several operands. */
  const chain = (from: Tensor, length: number) => {
    let [y, before] = [from, from];
    for (let i = 0; i < length; i++)
      [y, before] = [
        y
          .mul(1 + i / 7)
          .add(before.mul(i / 3))
          .maximum(y.sub(i / 5)),
        y,
      ];
    return y;
  };
  /** The same, each wanted by the next alone. */
  const line = (from: Tensor, length: number) =>
    range.slice(0, length).reduce(
      (y, i) =>
        y
          .mul(1 + i / 7)
          .add(i / 3)
          .maximum(i / 5),
      from,
    );
  const trained = (outputs: Record<string, Tensor>): Program => ({
    inputs: { x },
    parameters: { w },
    outputs,
    updates: { w: w.sub(x.T.matmul(x.matmul(w)).mul(0.1)) },
  });
  const learnt = (loss: Tensor): Program => ({
    inputs: { x },
    parameters: { w },
    outputs: { loss },
    updates: descent(loss, { w }, 0.1),
  });
  const long = "a name that goes on and on ".repeat(2000);
  const CHAINS: [string, () => Program][] = [
    ["a chain of elementwise operations", () => trained({ y: chain(x, 800) })],
    [
      "a chain of which each node takes many operations in place",
      () => trained({ y: range.slice(0, 60).reduce((y, i) => y.mul(line(x.add(i), 30)), x.matmul(w)) }),
    ],
    ["a chain after a product, and its derivative", () => learnt(chain(x.matmul(w), 150).mean())],
    ["a chain within a softmax, and its derivative", () => learnt(chain(chain(x.matmul(w), 60).softmax(), 60).sum())],
    [
      "independent chains",
      () =>
        trained({
          y: range
            .slice(0, 60)
            .map((i) => chain(x.add(i), 20))
            .reduce((a, b) => a.add(b.exp())),
        }),
    ],
    [
      "many sums along the same rows",
      () => trained({ y: range.map((i) => x.mul(i + 0.5).sum(1)).reduce((a, b) => a.mul(b)) }),
    ],
    [
      "many sums over all elements",
      () => trained({ y: range.map((i) => x.mul(i + 0.5).sum()).reduce((a, b) => a.mul(b)) }),
    ],
    ["scalars that only the record wants", () => trained({ y: chain(x.sum(), 800) })],
    ["scalars that an update wants", () => ({ ...trained({}), updates: { w: w.mul(chain(w.mean(), 800)) } })],
    ["values of each row", () => trained({ y: chain(x.sum(1), 800) })],
    ["names as long as a user likes", () => ({ ...trained({ [`${long} out`]: chain(x, 40) }), inputs: { [long]: x } })],
  ];
  test.each(CHAINS.map(([name, make], i) => [name, make, i % 2] as const))("of %s", (_, make, first) => {
    // A software adapter and a GPU, of each the kind that the row before has not: such chains take seconds to plan.
    for (const target of [TARGETS[first], TARGETS[first + 2]])
      expect(longest(make(), target as Target)).toBeLessThan(LIMIT);
  });
});
