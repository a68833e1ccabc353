import { attention, checkpoint, einsum, grad, type Tensor } from "../../../index";
import { caseList, EXTREMES, shapeName } from "./case";

/** Products, batches of them, einsum, attention. */
const { cases, add, draw, drawIntegers } = caseList(658);
export const PRODUCTS = cases;

/** Tile edges, and a step to each side of them. */
const EDGES = [1, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129];

export const TRANSPOSITIONS = [
  ["A B", (a: Tensor, b: Tensor) => a.matmul(b), false, false],
  ["Aᵀ B", (a: Tensor, b: Tensor) => a.T.matmul(b), true, false],
  ["A Bᵀ", (a: Tensor, b: Tensor) => a.matmul(b.T), false, true],
  ["Aᵀ Bᵀ", (a: Tensor, b: Tensor) => a.T.matmul(b.T), true, true],
] as const;
function product(M: number, N: number, K: number, transposition: (typeof TRANSPOSITIONS)[number]): void {
  const [name, build, ofA, ofB] = transposition;
  const [a, b] = [ofA ? draw(K, M) : draw(M, K), ofB ? draw(N, K) : draw(K, N)];
  add("matmul", `${name}, M ${M}, N ${N}, K ${K}`, build, a, b);
}
EDGES.forEach((M, i) => {
  const at = (j: number) => EDGES[j % EDGES.length] as number;
  for (let round = 0; round < 3; round++) {
    product(
      M,
      at(5 * i + 7 * round + 3),
      at(7 * i + 5 * round + 1),
      TRANSPOSITIONS[(i + round) % 4] as (typeof TRANSPOSITIONS)[number],
    );
  }
});
for (const transposition of TRANSPOSITIONS) {
  for (const [M, N, K] of [
    [1, 1, 1],
    [5, 7, 3],
    [17, 33, 65],
    [64, 64, 64],
    [129, 127, 128],
    [1, 129, 64],
    [129, 1, 64],
    [3, 5, 1000],
    [16, 16, 1009],
    [64, 100, 1000],
    [1, 1, 4099],
    [2, 2, 20_011],
    [1000, 3, 2],
  ] as const) {
    product(M, N, K, transposition);
  }
}
add("matmul", "three axes", (a, b) => a.matmul(b), draw(3, 5, 7), draw(7, 9));
add("matmul", "with a repeated row", (a, b) => a.broadcastTo([17, 33]).matmul(b), draw(33), draw(33, 5));
add("matmul", "of a reshaped transpose", (a, b) => a.T.reshape([6, 10]).matmul(b), draw(12, 5), draw(10, 7));
add("matmul", "of a computed operand", (a, b) => a.tanh().matmul(b.mul(2).add(1)), draw(17, 33), draw(33, 5));
add("matmul", "with itself", (a) => a.matmul(a.T), draw(33, 17));
add("matmul", "a chain", (a, b, c) => a.matmul(b).matmul(c), draw(5, 33), draw(33, 65), draw(65, 3));
add("matmul", "bias and activation", (a, b, c) => a.matmul(b).add(c).relu(), draw(33, 65), draw(65, 17), draw(17));
add("matmul", "its row's softmax", (a, b) => a.matmul(b).softmax(), draw(33, 65), draw(65, 10));
add(
  "matmul",
  "gradients summed",
  (a, b) => {
    const [da, db] = grad(a.matmul(b).tanh().sum(), [a, b]) as [Tensor, Tensor];
    return da.sum().add(db.sum());
  },
  draw(33, 17),
  draw(17, 9),
);
add(
  "matmul",
  "every extreme value with every other",
  (a, b) => a.matmul(b),
  [[EXTREMES.length, 1], EXTREMES],
  [[1, EXTREMES.length], EXTREMES],
);
add(
  "matmul",
  "large with small",
  (a, b) => a.matmul(b),
  [
    [2, 3],
    [3e38, 1e-30, 1e4, -3e38, 1e30, 88.7],
  ],
  [
    [3, 2],
    [1e-30, 1e-38, 1e30, 1e-45, 1e4, -0],
  ],
);
add("matmul", "one-hot rows", (i, b) => i.oneHot(33).matmul(b), drawIntegers(33, 65), draw(33, 7));
add("matmul", "mostly zeros", (a, b) => a.relu().mask(a.gt(1.5)).matmul(b), draw(33, 129), draw(129, 5));
for (const [i, [a, b]] of (
  [
    [
      [3, 17, 33],
      [3, 33, 9],
    ],
    [
      [2, 1, 5, 7],
      [3, 7, 4],
    ],
    [
      [1, 4, 16],
      [3, 16, 5],
    ],
    [
      [3, 4, 16],
      [1, 16, 5],
    ],
    [
      [3, 4, 5],
      [3, 5, 4],
    ],
    [
      [2, 3, 1, 9],
      [2, 3, 9, 1],
    ],
    [
      [5, 31, 1],
      [5, 1, 33],
    ],
    [
      [2, 1, 1],
      [2, 1, 1],
    ],
    [
      [1, 8, 64],
      [1, 64, 17],
    ],
    [
      [7, 64],
      [3, 64, 8],
    ],
    [
      [3, 65, 32],
      [3, 32, 63],
    ],
    [
      [2, 3, 301],
      [2, 301, 2],
    ],
  ] as const
).entries()) {
  const [name, build] = TRANSPOSITIONS[i % 4] as (typeof TRANSPOSITIONS)[number];
  const turned = (shape: readonly number[], is: boolean) =>
    is ? [...shape.slice(0, -2), ...shape.slice(-2).reverse()] : shape;
  const [ofA, ofB] = [turned(a, name.startsWith("Aᵀ")), turned(b, name.endsWith("Bᵀ"))];
  add("matmul", `batches, ${name}, ${shapeName(a)} x ${shapeName(b)}`, build, draw(...ofA), draw(...ofB));
}
add(
  "matmul",
  "batches of permuted operands, with what follows",
  (q, k, c) =>
    q
      .permute([0, 2, 1, 3])
      .matmul(k.permute([0, 2, 3, 1]))
      .mul(0.5)
      .add(c)
      .softmax(),
  draw(2, 9, 3, 12),
  draw(2, 7, 3, 12),
  draw(9, 7),
);
add(
  "matmul",
  "gradients of broadcast batches",
  (a, b) => {
    const [da, db] = grad(a.matmul(b).tanh().sum(), [a, b]) as [Tensor, Tensor];
    return da.matmul(db);
  },
  draw(3, 1, 5, 6),
  draw(2, 6, 10),
);
add(
  "matmul",
  "second derivative of batches",
  (a, b) => {
    const da = grad(a.matmul(b).square().sum(), [a])[0] as Tensor;
    return grad(da.tanh().sum(), [b])[0] as Tensor;
  },
  draw(3, 4, 12),
  draw(3, 12, 5),
);
add(
  "matmul",
  "of slices, windows and padding",
  (x, w) => {
    const rows = x
      .slice(0, 1)
      .windows(0, 12, 3)
      .pad([
        [1, 2],
        [0, 0],
      ]);
    return rows.matmul(w.slice(1, undefined, undefined, -2));
  },
  draw(40),
  draw(12, 9),
);
add(
  "matmul",
  "by windows and padding",
  (x, w) => {
    const windows = x
      .windows(1, 4)
      .windows(2, 3, 2)
      .permute([0, 3, 4, 1, 2])
      .pad(
        [
          [0, 0],
          [0, 0],
          [1, 0],
          [0, 0],
          [0, 0],
        ],
        2,
      );
    return w.matmul(windows.reshape([2, 4 * 4, -1]));
  },
  draw(2, 9, 10),
  draw(3, 16),
);
add(
  "matmul",
  "by a padded matrix",
  (x, w) =>
    x.matmul(
      w.pad([
        [0, 3],
        [0, 0],
      ]),
    ),
  draw(5, 20),
  draw(17, 9),
);

add(
  "matmul",
  "einsum of attention, and its derivative",
  (q, k) => {
    const scores = einsum("bqhd,bkhd->bhqk", q, k);
    const [dq, dk] = grad(scores.softmax().square().sum(), [q, k]) as [Tensor, Tensor];
    return einsum("bqhd,bkhd->bqk", dq, dk);
  },
  draw(2, 5, 3, 9),
  draw(2, 7, 3, 9),
);
add(
  "checkpoint",
  "of a product, and its derivative",
  (a, b) => {
    const y = checkpoint((x, w) => x.matmul(w).tanh(), a, b);
    return grad(y.square().sum(), [a])[0].add(y.sum());
  },
  draw(17, 9),
  draw(9, 33),
);
add(
  "checkpoint",
  "attention in strips, and its derivative",
  (q, k) => {
    const y = attention(q, k, k, { causal: true });
    return grad(y.square().sum(), [k])[0];
  },
  draw(257, 3),
  draw(256, 3),
);
add(
  "matmul",
  "einsum of several rows, columns and terms",
  (a, b) => einsum("abcd,cebd->eab", a, b),
  draw(3, 2, 5, 4),
  draw(5, 7, 2, 4),
);
add("matmul", "einsum over 301 terms", (a, b) => einsum("kbm,kbn->bmn", a, b), draw(301, 2, 3), draw(301, 2, 5));
add("matmul", "einsum of 130 rows", (a, b) => einsum("mik,kin->mn", a, b), draw(130, 5, 3), draw(3, 5, 9));
