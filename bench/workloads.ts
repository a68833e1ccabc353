import type { Task } from "./tasks";

export interface Workload {
  id: string;
  /** The group that --only names. */
  group: "W1" | "W2" | "W3" | "W4";
  title: string;
  /** What a step is called here. */
  step: string;
  task: Task;
  /** The loss of this step, from 0, is compared; of a product one row. */
  comparedStep: number;
  /** How far it may be from float64: of the value, and for a product absolute. */
  tolerance: number;
  /** Where so many steps take no longer than a second or two, a round takes all of them. */
  wholeRun?: number;
  /** A cell is measured even where a step takes so long; else there are limits to patience. */
  worthMs?: number;
}

export const seed000: Task = { kind: "two-layer", batch: 64, inputs: 1000, hidden: 100, outputs: 10, rate: 1e-6 };

/** `sizes` of the products, smallest first. */
export function workloads(sizes: readonly number[]): Workload[] {
  return [
    {
      id: "W1",
      group: "W1",
      title: "seed-000: 64×1000→100→10 ReLU, sum of squares, loss of every step read",
      step: "step",
      task: seed000,
      comparedStep: 10,
      tolerance: 1e-4,
    },
    {
      id: "W2",
      group: "W2",
      title: "seed-004: 200×2→3→2 tanh and softmax, the loss of one pass in 1,000 read",
      step: "pass",
      task: { kind: "moons" },
      comparedStep: 200,
      tolerance: 1e-4,
      wholeRun: 20_000,
    },
    {
      id: "W3",
      group: "W3",
      title: "784→512→256→10 ReLU, batch 128, Adam, softmax cross entropy, loss of every step read",
      step: "step",
      task: { kind: "classifier", batch: 128 },
      comparedStep: 3,
      tolerance: 1e-3,
    },
    ...sizes.map(
      (size): Workload => ({
        id: `W4 ${size}`,
        group: "W4",
        title: `${size}×${size} by ${size}×${size}, resident`,
        step: "product",
        task: { kind: "matmul", size },
        comparedStep: 0,
        ...(size <= 1024 && { worthMs: 20_000 }), // a target names it
        tolerance: 2e-5 * Math.sqrt(size), // sums of products in float32 lie a tenth of it away, TF32's ten times
      }),
    ),
  ];
}
