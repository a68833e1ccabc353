import { grad, type Tensor } from "../../../index";
import { caseList } from "./case";

/** Rows taken by index, and values added to rows by index. */
const { cases, add, draw, drawIntegers } = caseList(944);
export const ROWS_BY_INDEX = cases;

add("take", "rows, some twice", (x, i) => x.take(i), draw(7, 5), drawIntegers(7, 33));
add("take", "elements of a vector", (x, i) => x.take(i), draw(65), drawIntegers(65, 129));
add("take", "by two axes from three", (x, i) => x.take(i), draw(7, 3, 5), drawIntegers(7, 2, 9));
add("take", "integers", (x, i) => x.take(i), drawIntegers(100, 33), drawIntegers(33, 17));
add("take", "indices outside", (x, i) => x.take(i), draw(5, 3), [
  [5],
  Int32Array.of(-1, 5, 2 ** 31 - 1, -(2 ** 31), 4),
]);
add(
  "take",
  "from what was computed, by what was computed",
  (x, i) => x.exp().take(i.add(1).minimum(6)),
  draw(7, 5),
  drawIntegers(7, 9),
);
add(
  "take",
  "gradient, rows taken twice",
  (x, i) => grad(x.take(i).square().sum(), [x])[0] as Tensor,
  draw(7, 5),
  drawIntegers(7, 33),
);
add("take", "along the last axis", (x, i) => x.take(i, -1), draw(3, 5, 7), drawIntegers(7, 2, 3));
add(
  "take",
  "along the middle, then transposed",
  (x, i) => x.take(i, 1).permute([2, 0, 1]).exp(),
  draw(3, 5, 4),
  drawIntegers(5, 6),
);
add(
  "take",
  "of what has another shape, padded",
  (x, i) =>
    x
      .reshape([8, 4])
      .take(i, 1)
      .pad([
        [1, 0],
        [0, 2],
      ]),
  draw(4, 8),
  drawIntegers(4, 5),
);
add("take", "of a transposed table", (x, i) => x.T.take(i), draw(5, 7), drawIntegers(7, 9));
add("take", "one element for each row", (x, i) => x.takeAlong(i, 1), draw(33, 7), drawIntegers(7, 33, 1));
add("take", "elements along the middle", (x, i) => x.takeAlong(i, 1), draw(2, 5, 3), drawIntegers(5, 2, 9, 3));
add(
  "take",
  "elements along an axis, both repeated",
  (x, i) => x.takeAlong(i, -2),
  draw(4, 1, 5, 3),
  drawIntegers(5, 1, 2, 6, 1),
);
add(
  "take",
  "elements along an axis, indices outside",
  (x, i) => x.takeAlong(i.sub(2), 0),
  draw(4, 5),
  drawIntegers(9, 3, 5),
);
add(
  "take",
  "gradient of elements along an axis, some twice",
  (x, i) => grad(x.takeAlong(i, 1).square().sum(), [x])[0] as Tensor,
  draw(3, 5, 4),
  drawIntegers(5, 3, 9, 4),
);
add(
  "take",
  "gradient along the last axis, indices outside",
  (x, i) => grad(x.take(i.sub(2), 1).exp().sum(), [x])[0] as Tensor,
  draw(9, 5),
  drawIntegers(9, 7),
);
add("take", "by argmax", (x, y) => y.take(x.argmax(1)), draw(33, 10), draw(10, 3));

// Values added to rows by index ---------------------------------------------------------------------------------------

const scatter = (x: Tensor, i: Tensor, v: Tensor) => x.scatterAdd(i, v);
for (const [rows, columns, count] of [
  [1, 1, 1],
  [1, 1, 33],
  [1, 65, 9],
  [33, 1, 129],
  [7, 5, 33],
  [9, 65, 17],
  [130, 3, 5],
] as const)
  add(
    "scatterAdd",
    `${count} to ${rows} of ${columns}`,
    scatter,
    draw(rows, columns),
    drawIntegers(rows, count),
    draw(count, columns),
  );
add("scatterAdd", "all to the same row", scatter, draw(5, 9), [[700], new Int32Array(700).fill(3)], draw(700, 9));
add(
  "scatterAdd",
  "equal values, 5,000 in a row",
  scatter,
  draw(2),
  [[5000], new Int32Array(5000).fill(1)],
  [[5000], new Float32Array(5000).fill(0.1)],
);
add("scatterAdd", "by two axes, to rows of two", scatter, draw(7, 3, 5), drawIntegers(7, 2, 9), draw(2, 9, 3, 5));
add(
  "scatterAdd",
  "indices outside",
  scatter,
  draw(5, 3),
  [[4], Int32Array.of(-1, 5, 2 ** 31 - 1, -(2 ** 31))],
  draw(4, 3),
);
add(
  "scatterAdd",
  "in their order",
  scatter,
  [[2], [0, 0]],
  [[6], Int32Array.of(1, 0, 1, 0, 1, 0)],
  [[6], [1e8, 1, 1, 1e8, -1e8, -1e8]],
);
add(
  "scatterAdd",
  "of what was computed, and on from it",
  (x, i, v) => x.square().scatterAdd(i.add(1).minimum(6), v.T.exp()).mul(x).add(1),
  draw(7, 5),
  drawIntegers(7, 9),
  draw(5, 9),
);
add(
  "scatterAdd",
  "to zeros, and their sum",
  (x, i, v) => x.mul(0).scatterAdd(i, v).square().sum(),
  draw(50, 5),
  drawIntegers(50, 9),
  draw(9, 5),
);
add(
  "scatterAdd",
  "to a transposed table",
  (x, i, v) => x.T.scatterAdd(i, v),
  draw(5, 7),
  drawIntegers(7, 9),
  draw(9, 5),
);
add(
  "scatterAdd",
  "gradients",
  (x, i, v) => {
    const [dx, dv] = grad(x.scatterAdd(i, v).exp().sum(), [x, v]);
    return dx.sum(0).add(dv.sum(0));
  },
  draw(7, 5),
  drawIntegers(7, 9),
  draw(9, 5),
);
