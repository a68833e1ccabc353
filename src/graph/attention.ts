import { checkFlag, checkOptions, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape } from "../util/shape";
import { iota, Tensor } from "./tensor";

/** Of what a query may not see: as good as none beside any other score, and no infinity, of which a difference is NaN. */
export const UNSEEN = -1e30;

/**
 * softmax(q kᵀ scale + mask) v, for q [..., T, d], k [..., S, d] and v [..., S, e] -> [..., T, e]; leading axes broadcast. `scale` is
 * 1/√d where left out; `causal` lets a query see the keys up to its own place; `mask`, which broadcasts to [..., T, S], is added. Throws
 * ShapeError where sizes differ. Source: Vaswani et al. 2017, eq. 1.
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: { causal?: boolean; mask?: Tensor; scale?: number } = {},
): Tensor {
  return attended(q, k, v, options);
}

/** @internal As `attention`; what a query makes of its keys, in shares that sum to 1, passes through `shares` before the values do. */
export function attended(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: { causal?: boolean; mask?: Tensor; scale?: number },
  shares: (weights: Tensor) => Tensor = (weights) => weights,
): Tensor {
  checkOptions("attention", options, ["causal", "mask", "scale"]);
  for (const [name, tensor] of Object.entries({ q, k, v })) {
    if (!(tensor instanceof Tensor))
      throw new TypeError(`attention: ${name} is ${shown(tensor, Tensor)}, not a Tensor`);
    if (tensor.shape.length < 2)
      throw new ShapeError(`attention: ${name} is ${formatShape(tensor.shape)}; it must be [..., length, width]`);
  }
  const last = ({ shape }: Tensor, back = 1) => shape[shape.length - back] as number;
  if (last(q) !== last(k)) {
    throw new ShapeError(
      `attention: q is ${formatShape(q.shape)} and k ${formatShape(k.shape)}; their last axes must be equal`,
    );
  }
  if (last(k, 2) !== last(v, 2)) {
    throw new ShapeError(
      `attention: k is ${formatShape(k.shape)} and v ${formatShape(v.shape)}; they must be equally long along the last axis but one`,
    );
  }
  const { causal = false, mask, scale = 1 / Math.sqrt(last(q)) } = options;
  checkFlag("attention", "causal", causal);
  const [T, S] = [last(q, 2), last(k, 2)];
  let scores = q.mul(scale).matmul(k.T);
  if (mask !== undefined) scores = scores.add(mask);
  if (causal) {
    const seen = iota(T).reshape([T, 1]).ge(iota(S));
    scores = scores.mask(seen).add(seen.eq(0).mul(UNSEEN));
  }
  return shares(scores.softmax(-1)).matmul(v);
}
