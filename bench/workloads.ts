import type { Task } from "./tasks";

export interface Workload {
  id: string;
  /** The group that --only names. */
  group: "W1" | "W2" | "W3" | "W4" | "W7" | "W8" | "W9" | "W10" | "W11";
  title: string;
  /** What a step is called here. */
  step: string;
  task: Task;
  /** The loss of this step, from 0, is compared; of a product one row. */
  comparedStep: number;
  /** How far it may be from float64: of the value, and for a product absolute. */
  tolerance: number;
  /** What `reference()` has found once, where it takes minutes: `npm run bench -- --judge` finds it again. */
  judged?: number;
  /** Where so many steps take no longer than a second or two, a round takes all of them. */
  wholeRun?: number;
  /** Contenders that are not asked, with the reason. */
  without?: Readonly<Record<string, string>>;
  /** A cell is measured even where a step takes so long; else there are limits to patience. */
  worthMs?: number;
}

export const seed000: Task = { kind: "two-layer", batch: 64, inputs: 1000, hidden: 100, outputs: 10, rate: 1e-6 };

const byHand = {
  "plain JS": "nobody writes it by hand",
  NumPy: "nobody writes it by hand",
  "PyTorch cpu": "not written yet",
  "PyTorch CUDA eager": "not written yet",
  "PyTorch CUDA graph": "not written yet",
};

const noVmap = {
  "plain JS": "256 times W2",
  "TF.js webgpu": "it has no vmap",
  "TF.js wasm": "it has no vmap",
  "TF.js cpu": "it has no vmap",
};

/** Networks that people train. `large`: with those that take a software adapter minutes. */
function networks(large: boolean): Workload[] {
  return [
    {
      id: "W7",
      group: "W7",
      title: "28×28, conv 16@3×3, pool, conv 32@3×3, pool, 10; batch 64, Adam, loss of every step read",
      step: "step",
      task: {
        kind: "cnn",
        batch: 64,
        convolutions: [
          { filters: 16, kernel: 3, padding: "same" },
          { filters: 32, kernel: 3, padding: "same" },
        ],
        hidden: [],
      },
      comparedStep: 2,
      tolerance: 1e-3,
      without: byHand,
    },
    {
      id: "W7 demo",
      group: "W7",
      title: "jax-js's own demo: conv 24@5×5, pool, conv 32@3×3, pool, 800-128-10; batch 250, Adam",
      step: "step",
      task: {
        kind: "cnn",
        batch: 250,
        convolutions: [
          { filters: 24, kernel: 5, padding: "valid" },
          { filters: 32, kernel: 3, padding: "valid" },
        ],
        hidden: [128],
      },
      comparedStep: 1,
      tolerance: 1e-3,
      without: byHand,
    },
    {
      id: "W8",
      group: "W8",
      title: "char-GPT of 113 K parameters: 65 tokens, T 64, width 64, 4 heads, 2 blocks; batch 16, AdamW",
      step: "step",
      task: { kind: "gpt", batch: 16, length: 64, vocabulary: 65, width: 64, heads: 4, blocks: 2 },
      comparedStep: 3,
      tolerance: 1e-3,
      without: byHand,
    },
    ...(large ? [largeGpt] : []),
    {
      id: "W9",
      group: "W9",
      title: "GRU: T 50, 8 features, 64 units; batch 32, Adam",
      step: "step",
      task: { kind: "gru", batch: 32, length: 50, features: 8, units: 64 },
      comparedStep: 3,
      tolerance: 1e-3,
      without: byHand,
    },
    {
      id: "W10",
      group: "W10",
      title:
        "256 seed-004 networks at once, each with weights of its own; jax-js by vmap, the loss of one pass in 1,000 read",
      step: "pass of all",
      task: { kind: "many-moons", count: 256 },
      comparedStep: 200,
      tolerance: 1e-4,
      worthMs: 20_000,
      without: { ...byHand, ...noVmap },
    },
    {
      id: "W11",
      group: "W11",
      title: "300 images 96×96×3 through a frozen CNN of 1 M parameters, 30 epochs of a 3-class head in batches of 30",
      step: "job",
      task: {
        kind: "head",
        images: 300,
        size: 96,
        filters: [32, 64, 128, 256, 256],
        classes: 3,
        epochs: 30,
        batch: 30,
      },
      comparedStep: 0,
      tolerance: 1e-3,
      judged: 1.05298462621524,
      worthMs: 20_000,
      without: byHand,
    },
  ];
}

const largeGpt: Workload = {
  id: "W8 large",
  group: "W8",
  title: "char-GPT of 6.4 M parameters: 65 tokens, T 256, width 256, 8 heads, 8 blocks; batch 4, AdamW",
  step: "step",
  task: { kind: "gpt", batch: 4, length: 256, vocabulary: 65, width: 256, heads: 8, blocks: 8 },
  comparedStep: 0,
  tolerance: 1e-3,
  judged: 4.63293051107077,
  worthMs: 60_000,
  without: byHand,
};

/** `sizes` of the products, smallest first; `large`: with the networks that take a software adapter minutes. */
export function workloads(sizes: readonly number[], large: boolean): Workload[] {
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
    ...networks(large),
  ];
}
