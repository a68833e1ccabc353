import { moons as moonPoints, type Program, randomState, type Values } from "../../index";
import { sizeOf } from "./numbers";
import { moons, rowBiases, type Seed, twoLayer, twoTwoOne } from "./seeds";

/** A seed program with what it starts from. */
export interface Started {
  id: string;
  title: string;
  seed: Seed;
  inputs: Record<string, Values>;
  parameters: Record<string, Values>;
  /** Steps whose losses float32 can follow to `lossBound`, relative; 0 where that would take long. */
  steps: number;
  lossBound: number;
}

/** The five of them, with the derivatives as their authors wrote them by hand. */
export function startedSeeds(): Started[] {
  return [
    drawn("seed-000", "1000-100-10, ReLU, squared error", twoLayer("handwritten"), 0),
    { ...drawn("seed-001", "27-9-3, a bias for each row", rowBiases("handwritten"), 1), steps: 200 },
    drawn("seed-002", "1000-100-10, other numbers", twoLayer("handwritten"), 2),
    {
      id: "seed-003",
      title: "2-2-1, with its mistakes",
      seed: twoTwoOne("handwritten"),
      inputs: { X: [1, 2, 2, 1], y_true: [3, 2.5] },
      parameters: { W1: [0.1, 0.2, 0.3, 0.4], b1: [0.1, 0.2], W2: [0.5, 0.6], b2: [0.3] },
      steps: 70, // its path is unstable: at about step 80 float32 leaves it, whatever computes
      lossBound: 2.1e-5,
    },
    moonsSeed(),
  ];
}

function moonsSeed(): Started {
  const hidden = 3;
  const { x, y } = moonPoints(200, { noise: 0.2, seed: 0 });
  const random = randomState(0);
  return {
    id: "seed-004",
    title: "2-3-2 on two moons",
    seed: moons("handwritten", hidden),
    inputs: { X: x, y },
    parameters: {
      W1: random.randn(2 * hidden).map((value) => value / Math.sqrt(2)),
      b1: new Float32Array(hidden),
      W2: random.randn(hidden * 2).map((value) => value / Math.sqrt(hidden)),
      b2: new Float32Array(2),
    },
    steps: 900, // before the unstable stretch, where runs part by the order of their sums
    lossBound: 2e-5,
  };
}

function drawn(id: string, title: string, seed: Seed, number: number): Started {
  const random = randomState(number);
  const draw = (tensors: Program["inputs"]) =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, { shape }]): [string, Values] => [
        name,
        Float32Array.from(random.randn(sizeOf(shape))),
      ]),
    );
  const { inputs, parameters } = seed.program;
  return { id, title, seed, inputs: draw(inputs), parameters: draw(parameters), steps: 0, lossBound: 2e-5 };
}
