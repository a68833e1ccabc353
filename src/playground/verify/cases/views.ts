import type { Tensor } from "../../../index";
import { sizeOf } from "../numbers";
import { caseList, EXTREMES, extremes, shapeName } from "./case";

/** What is read in another way than it lies. */
const { cases, add, draw, drawIntegers } = caseList(398);
export const VIEW_CASES = cases;

for (const shape of [
  [1, 1],
  [1, 7],
  [3, 5],
  [64, 65],
  [2, 3, 4],
]) {
  add("permute", shapeName(shape), (x) => x.T, draw(...shape));
  add("reshape", `${shapeName(shape)} of a transpose`, (x) => x.T.reshape([sizeOf(shape)]), draw(...shape));
  add("reshape", shapeName(shape), (x) => x.reshape([sizeOf(shape), 1]), draw(...shape));
}
for (const axes of [
  [1, 0, 2],
  [2, 0, 1],
  [0, 2, 1],
  [2, 1, 0],
]) {
  add("permute", `[3, 4, 5] by ${axes}`, (x) => x.permute(axes).add(1), draw(3, 4, 5));
  add(
    "permute",
    `${axes} of a product, and summed`,
    (x, w) => x.matmul(w).permute(axes).sum(1),
    draw(3, 4, 5),
    draw(5, 6),
  );
  add(
    "permute",
    `${axes} twice, reshaped between`,
    (x) => x.permute(axes).reshape([4, 3, 5]).permute(axes),
    draw(3, 4, 5),
  );
}
add(
  "permute",
  "of a cube, two ways beside one another",
  (x) => x.permute([1, 2, 0]).sub(x.permute([2, 0, 1])),
  draw(4, 4, 4),
);
add("permute", "int32", (i) => i.T, drawIntegers(50, 3, 4));
add("permute", "of a transpose that was reshaped", (x) => x.T.reshape([6, 10]).T, draw(12, 5));
add("permute", "extreme values", (x) => x.T, [[2, EXTREMES.length / 2], EXTREMES]);
const VIEWS: Record<string, [op: string, view: (x: Tensor) => Tensor, ...shape: number[]]> = {
  "the middle": ["slice", (x) => x.slice(1, 2, -1), 3, 7, 5],
  "every third row": ["slice", (x) => x.slice(0, 1, undefined, 3), 11, 4],
  "backwards by two": ["slice", (x) => x.slice(-1, undefined, undefined, -2), 3, 8],
  "of a transpose, on two axes": ["slice", (x) => x.T.slice(0, 1).slice(1, -1, -4, -1), 6, 7],
  "of a flip, reshaped": ["slice", (x) => x.slice(0, undefined, undefined, -1).reshape([4, 6]).T, 24],
  "on both sides": [
    "pad",
    (x) =>
      x.pad(
        [
          [1, 2],
          [0, 3],
        ],
        0.5,
      ),
    3,
    5,
  ],
  "of a pad, with other numbers": ["pad", (x) => x.pad([[1, 1]], 2).pad([[1, 0]], -3), 9],
  "of a transpose, then sliced": [
    "pad",
    (x) =>
      x.T.pad([
        [2, 2],
        [1, 1],
      ]).slice(0, 1, -1, 2),
    3,
    5,
  ],
  reshaped: [
    "pad",
    (x) =>
      x
        .pad(
          [
            [0, 0],
            [1, 1],
          ],
          7,
        )
        .reshape([5, 3]).T,
    3,
    3,
  ],
  "of what is computed": [
    "pad",
    (x) =>
      x
        .exp()
        .add(1)
        .pad(
          [
            [1, 0],
            [0, 2],
          ],
          -1,
        )
        .mul(x.sum()),
    4,
    4,
  ],
  repeated: ["pad", (x) => x.pad([[1, 1]], 1).broadcastTo([3, 7]), 5],
  "of three, one after another": ["windows", (x) => x.windows(0, 3), 9],
  "stride 2, dilation 3, of columns": ["windows", (x) => x.windows(1, 2, 2, 3), 3, 11, 2],
  "beyond the kernel": ["windows", (x) => x.windows(0, 2, 3), 9, 2],
  "of a padded image": [
    "windows",
    (x) =>
      x
        .pad([
          [1, 1],
          [1, 1],
        ])
        .windows(0, 3, 2)
        .windows(1, 3, 2),
    5,
    6,
  ],
  reduced: [
    "windows",
    (x) =>
      x
        .pad([
          [0, 0],
          [2, 0],
        ])
        .windows(1, 3)
        .sum(-1),
    6,
    33,
  ],
  maxima: [
    "windows",
    (x) =>
      x
        .padded(
          [
            [1, 1],
            [1, 1],
          ],
          -Infinity,
        )
        .windows(0, 3)
        .windows(1, 3)
        .max([2, 3]),
    7,
    9,
  ],
  "of a flipped square": ["diagonal", (x) => x.slice(1, undefined, undefined, -1).diagonal(), 5, 5],
  "of windows": ["diagonal", (x) => x.windows(0, 4).diagonal(), 9, 4],
};
for (const [name, [op, view, ...shape]] of Object.entries(VIEWS)) {
  add(op, `${name}, of ${shapeName(shape)}`, view, draw(...shape));
  add(op, `${name}, of ${shapeName(shape)}, computed with`, (x) => view(x.mul(2)).add(0.25).tanh(), draw(...shape));
}
add("slice", "int32", (i) => i.slice(0, 1).pad([[2, 0]], -7), drawIntegers(50, 9));
add("pad", "extreme values", (x) => x.slice(0, 3, -3).pad([[3, 3]], 1), extremes());
add(
  "slice",
  "rows beside their neighbours",
  (x) =>
    x
      .slice(0, 1)
      .sub(x.slice(0, 0, -1))
      .square()
      .sum(1),
  draw(17, 6),
);
add("windows", "of 257 by 129", (x) => x.windows(1, 129).sum(-1), draw(3, 257));
