import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import * as wgrad from "../../src/index";
import { LAYERS, LOSSES, OPTIMIZERS, SCHEDULES } from "../../src/sweep/named";
import { gridPoints, randomPoints } from "../../src/sweep/space";
import { planOf, rungsOf } from "../../src/sweep/strategy";
import { checkTrial, trialAt } from "../../src/sweep/trial";

const nn = fileURLToPath(new URL("../../src/nn", import.meta.url));

/** Functions of a file that the library exports, which give what `of` says. */
function exported(file: string, of: RegExp): string[] {
  const text = readFileSync(join(nn, file), "utf8");
  const made = [...text.matchAll(/^export function (\w+)\(([^{;]|\{[^}]*\})*?\): (.*) \{$/gm)];
  return made.flatMap(([, name = "", , kind = ""]) => (of.test(kind) && name in wgrad ? [name] : []));
}

describe("the tables of what a description may name", () => {
  test("have every layer, loss, optimizer and schedule of the library, and nothing else", () => {
    const layers = readdirSync(join(nn, "layers")).flatMap((file) => exported(`layers/${file}`, /^Layer\b/));
    // A layer of somebody's own is code, which no description has.
    expect(Object.keys(LAYERS).sort()).toEqual(layers.filter((name) => name !== "defineLayer").sort());
    expect(layers).toContain("convTranspose2d");
    expect(Object.keys(LOSSES).sort()).toEqual(
      exported("losses.ts", /^Loss$/)
        .filter((name) => name !== "defineLoss")
        .sort(),
    );
    expect(Object.keys(OPTIMIZERS).sort()).toEqual(exported("optimizers.ts", /^Optimizer$/).sort());
    expect(Object.keys(SCHEDULES).sort()).toEqual(
      exported("schedules.ts", /^\(step: number\) => number$/)
        .filter((name) => name in wgrad)
        .sort(),
    );
  });

  test("name arguments as the functions do, and say whether there are options", () => {
    for (const [name, { takes, options }] of Object.entries({ ...LAYERS, ...LOSSES, ...OPTIMIZERS, ...SCHEDULES })) {
      const files = [
        "losses.ts",
        "optimizers.ts",
        "schedules.ts",
        ...readdirSync(join(nn, "layers")).map((file) => `layers/${file}`),
      ];
      const text = files.map((file) => readFileSync(join(nn, file), "utf8")).join("\n");
      const [, given = ""] = new RegExp(`^export function ${name}\\(((?:[^{)]|\\{[^}]*\\})*)\\)`, "m").exec(text) ?? [];
      const names = [...given.replace(/\{[^}]*\}/g, "").matchAll(/(\w+)\??: /g)].map(([, each]) => each);
      // A description's own name is that of the function.
      if (name === "activation") expect(names.splice(0, 1, "activation")).toEqual(["name"]);
      expect(names, name).toEqual([...takes, ...(options ? ["options"] : [])]);
    }
  });

  test("make the network that the functions make", () => {
    const { made } = checkTrial("trial", {
      inputs: [2, 8, 8],
      layers: [
        { name: "conv2d", filters: 4, kernel: 3, padding: "same", activation: "relu" },
        { name: "residual", layers: ["batchNorm", { name: "activation", activation: "tanh" }] },
        { name: "maxPool2d", size: 2 },
        "flatten",
        { name: "dropout", rate: 0.25 },
        { name: "dense", units: 3, l2: 0.01 },
      ],
      loss: "softmaxCrossEntropy",
      optimizer: { name: "adam", lr: { name: "cosineDecay", lr: 0.1, steps: 10, warmup: 2 } },
      epochs: 2,
    });
    const { conv2d, residual, batchNorm, activation, maxPool2d, flatten, dropout, dense } = wgrad;
    const layers = [
      conv2d(4, 3, { padding: "same", activation: "relu" }),
      residual([batchNorm(), activation("tanh")]),
      ...[maxPool2d(2), flatten(), dropout(0.25), dense(3, { l2: 0.01 })],
    ];
    expect(made.model.summary()).toBe(wgrad.sequential([2, 8, 8], layers).summary());
  });
});

const GOOD = {
  inputs: 2,
  layers: [{ name: "dense", units: 3 }],
  loss: "softmaxCrossEntropy",
  optimizer: { name: "sgd", lr: 0.1 },
  epochs: 1,
};
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

describe("what is no description is refused, with its path and what would be right", () => {
  test.each<[string, object, string]>([
    ["an unknown layer", { layers: ["denze"] }, 'trial.layers[0].name is "denze"; it must be one of dense, activation'],
    ["a name of every object", { layers: ["constructor"] }, 'trial.layers[0].name is "constructor"; it must be one of'],
    [
      "a key of the prototype",
      JSON.parse('{"__proto__": {"epochs": 9}}'),
      'trial has "__proto__"; what it may have is inputs',
    ],
    [
      "such a key of a layer",
      { layers: [JSON.parse('{"name": "dense", "units": 3, "__proto__": {}}')] },
      'trial.layers[0]: dense: there is no option "__proto__"',
    ],
    ["code", { loss: () => 0 }, "trial.loss is a function, which JSON has not"],
    ["an object of a class", { optimizer: new Date(0) }, "trial.optimizer is a Date, which JSON has not"],
    [
      "a layer within a layer",
      { layers: [{ name: "residual", layers: [{ name: "dense" }] }] },
      'trial.layers[0].layers[0] is dense without "units"',
    ],
    [
      "an option of nothing",
      { layers: [{ name: "flatten", axis: 1 }] },
      'trial.layers[0]: flatten has no "axis"; it has none.',
    ],
    [
      "a value of another kind",
      { layers: [{ name: "dense", units: "3" }] },
      'trial.layers[0]: dense: units is "3"; it must be an integer',
    ],
    [
      "a huge network",
      {
        layers: [
          { name: "dense", units: 1e9 },
          { name: "dense", units: 1e9 },
        ],
      },
      "weights; 67108864 is the most",
    ],
    ["a huge example", { layers: [{ name: "dense", units: 3 }], inputs: 1e15 }, "the most that a trial may have"],
    [
      "a huge number",
      { optimizer: { name: "sgd", lr: 1e300 } },
      "trial.optimizer.lr is 1e+300; it must be a number that float32 has.",
    ],
    ["epochs without end", { epochs: 1e12 }, "trial.epochs is 1000000000000; it must be an integer from 1 to 1000000"],
    ["no epochs", { epochs: undefined }, "trial.epochs is not given"],
    ["a long text", { loss: "x".repeat(5000) }, "trial.loss is a text of 5000 characters; 2000 is the most."],
    ["a deep nest", { layers: nested(40) }, "is nested deeper than 16"],
    ["too many layers", { layers: Array(30_000).fill("flatten") }, "trial has more than 20000 values"],
    [
      "a schedule that is none",
      { optimizer: { name: "adam", lr: { name: "warm" } } },
      'trial.optimizer.lr.name is "warm"; it must be one of cosineDecay, stepDecay',
    ],
    [
      "shapes that do not fit",
      { layers: ["flatten", { name: "conv2d", filters: 2, kernel: 3 }] },
      "trial: sequential: layer 1: conv2d takes [C, height, width], and is given [2].",
    ],
    ["a seed that is none", { seed: -1 }, "trial.seed is -1; it must be an integer from 0 to 4294967295."],
    ["an unknown option", { rate: 1 }, 'trial has "rate"; what it may have is inputs, layers'],
  ])("%s", (_, change, message) => {
    const given = Object.hasOwn(change, "__proto__") ? change : { ...GOOD, ...change };
    expect(() => checkTrial("trial", given)).toThrow(message);
  });
});

describe("a space", () => {
  test("has the points of its grid, the last name the fastest", () => {
    expect(gridPoints({ lr: [0.1, 0.2], width: [4, 8] })).toEqual([
      { lr: 0.1, width: 4 },
      { lr: 0.1, width: 8 },
      { lr: 0.2, width: 4 },
      { lr: 0.2, width: 8 },
    ]);
  });

  test("has points at random: the same of the same seed, each once, within its ranges", () => {
    const space = { lr: { min: 1e-4, max: 1, log: true }, width: { min: 2, max: 9, integer: true }, by: ["a", "b"] };
    const points = randomPoints(space, 200, 3);
    expect(points).toEqual(randomPoints(space, 200, 3));
    expect(new Set(points.map((point) => JSON.stringify(point))).size).toBe(200);
    const rates = points.map(({ lr }) => lr as number);
    expect([Math.min(...rates) >= 1e-4, Math.max(...rates) <= 1]).toEqual([true, true]);
    expect(rates.filter((rate) => rate < 1e-2).length).toBeGreaterThan(70); // of 200 half, by logarithm
    expect([...new Set(points.map(({ width }) => width))].sort()).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
    expect(randomPoints({ by: ["a", "b"], width: [1, 2] }, 50, 0)).toHaveLength(4); // all that there are
  });

  test("is refused where it is none", () => {
    const grid = (space: object) => () => gridPoints(space as never);
    expect(grid({ lr: [] })).toThrow("space.lr is empty; give it a value at least.");
    expect(grid({ lr: { min: 1, max: 2 } })).toThrow("space.lr is a range; a grid takes values");
    expect(grid({ lr: { min: 2, max: 1 } })).toThrow("space.lr is from 2 to 1; min must be below max.");
    expect(grid({ lr: { min: 0, max: 1, log: true } })).toThrow("it must be above 0");
    expect(grid({ outputs: [1] })).toThrow("$outputs is what the data say");
    expect(grid(JSON.parse('{"__proto__": [1]}'))).toThrow("space.__proto__: a name is");
    expect(grid({ a: Array(1000).fill(0), b: Array(1000).fill(0) })).toThrow("number of a grid's trials is 1000000");
  });
});

describe("a strategy", () => {
  const trials = (count: number, epochs: number) =>
    Array.from({ length: count }, () => checkTrial("trial", { ...GOOD, epochs }).trial);

  test("of halving has rungs of fewer trials with more epochs, the last of all epochs", () => {
    const plan = planOf({ lr: { min: 0.1, max: 1 } }, { name: "halving", trials: 27, epochs: 2, factor: 3 });
    expect(rungsOf(plan, trials(27, 40))).toEqual([
      { epochs: 2, trials: 27 },
      { epochs: 6, trials: 9 },
      { epochs: 18, trials: 3 },
      { epochs: 40, trials: 1 },
    ]);
    expect(() => rungsOf(plan, trials(3, 1))).toThrow("strategy.epochs is 2; the trials have only 1");
    expect(() => rungsOf(plan, [...trials(1, 5), ...trials(1, 6)])).toThrow("some of 5 and some of 6");
  });

  test("is refused where it is none", () => {
    const of = (strategy: object | string) => () => planOf({ lr: [1] }, strategy as never);
    expect(of("bayes")).toThrow('strategy.name is "bayes"; it must be grid, random or halving.');
    expect(of({ name: "grid", trials: 3 })).toThrow('strategy has "trials"; what it may have is name');
    expect(of({ name: "random" })).toThrow("strategy.trials is not given");
    expect(of({ name: "halving", epochs: 1, factor: 1 })).toThrow("strategy.factor is 1; it must be an integer from 2");
  });
});

describe("a trial's description of a point", () => {
  const template = {
    layers: [
      { name: "dense", units: "$width" },
      { name: "dense", units: "$outputs" },
    ],
    loss: "softmaxCrossEntropy",
    optimizer: { name: "adam", lr: { name: "cosineDecay", lr: "$lr", steps: "$steps" } },
    ...{ batchSize: "$batch", epochs: 3, seed: "$seed" },
  };

  test("has the point's values and those of the data", () => {
    const trial = trialAt(template, { width: 5, lr: 0.1, batch: 4, seed: 7 }, { inputs: 2, outputs: 3, rows: 10 });
    expect(JSON.parse(JSON.stringify(trial))).toEqual({
      inputs: 2,
      layers: [
        { name: "dense", units: 5 },
        { name: "dense", units: 3 },
      ],
      loss: "softmaxCrossEntropy",
      optimizer: { name: "adam", lr: { name: "cosineDecay", lr: 0.1, steps: 9 } },
      ...{ batchSize: 4, shuffle: true, seed: 7, epochs: 3 },
    });
  });

  test("is refused where something is not there", () => {
    const at = (point: object) => () => trialAt(template, point as never, { inputs: 2, rows: 10 });
    expect(at({ lr: 0.1, batch: 4, seed: 7 })).toThrow(
      'trial.layers[0].units is "$width", and there is no such value here; there are $inputs',
    );
    expect(at({ width: 2, lr: 0.1, batch: 4, seed: 7 })).toThrow('trial.layers[1].units is "$outputs"');
  });
});
