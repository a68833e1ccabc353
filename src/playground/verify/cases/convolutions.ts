import { grad, type Tensor } from "../../../index";
import { caseList, shapeName } from "./case";

/** Convolutions and pools with their derivatives. */
const { cases, add, draw } = caseList(473);
export const CONVOLUTION_CASES = cases;

type Conv = readonly [x: readonly number[], weight: readonly number[], options?: Parameters<Tensor["conv"]>[1]];
const CONVOLUTIONS: readonly Conv[] = [
  [
    [1, 1, 1],
    [1, 1, 1],
  ],
  [
    [2, 3, 9],
    [4, 3, 3],
  ],
  [[2, 3, 16], [5, 3, 4], { stride: 3, padding: 2 }],
  [[3, 4, 7], [6, 2, 2], { groups: 2, dilation: 3 }],
  [[2, 1, 8, 8], [3, 1, 3, 3], { padding: "same" }],
  [
    [1, 3, 5, 7],
    [2, 3, 5, 7],
  ],
  [
    [2, 4, 5, 6],
    [4, 1, 3, 2],
    {
      groups: 4,
      padding: [
        [1, 0],
        [0, 2],
      ],
    },
  ],
  [[2, 2, 9, 5], [3, 2, 2, 1], { stride: [4, 2], dilation: [3, 1] }],
  [[1, 17, 4, 3], [9, 17, 1, 1], { stride: 2 }],
];
for (const [x, weight, options] of CONVOLUTIONS) {
  const name = `${shapeName(x)} by ${shapeName(weight)}${options ? ` with ${JSON.stringify(options)}` : ""}`;
  add("conv", name, (a, w) => a.conv(w, options).add(0.5).tanh(), draw(...x), draw(...weight));
  add("conv", `derivatives, ${name}`, convDerivatives(options), draw(...x), draw(...weight));
}
function convDerivatives(options: Conv[2]) {
  return (a: Tensor, w: Tensor) => {
    const [da, dw] = grad(a.conv(w, options).square().sum(), [a, w]);
    return da.mul(dw.square().sum());
  };
}
add(
  "conv",
  "with NaN and infinity in the image",
  (x, w) => x.conv(w, { padding: 1 }),
  [[1, 1, 12], Float32Array.of(1, 2, 3, 0, 0, 0, 0, 0, 0, 3e38, 3e38, 3e38)],
  draw(2, 1, 3),
);
add("max", "of a pool with NaN in a window", (x) => x.log().maxPool(2), [
  [1, 1, 6],
  Float32Array.of(-1, 2, 3, 4, 0, 0),
]);
add(
  "conv",
  "many places, two images, in groups",
  (x, w) => x.conv(w, { padding: 1, groups: 2 }),
  draw(2, 4, 10, 11),
  draw(6, 2, 3, 3),
);
