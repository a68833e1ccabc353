import { checkFlag, checkOptions, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape } from "../util/shape";
import { checkpoint } from "./checkpoint";
import { concat } from "./join";
import { iota, Tensor } from "./tensor";

/** Of what a query may not see: as good as none beside any other score, and no infinity, of which a difference is NaN. */
export const UNSEEN = -1e30;

/** From so many queries and keys on, attention is taken of a strip of queries at a time. */
const LONG = 256;
/** Queries of a strip: its scores are all that is in memory at a time, on the way there and, computed again, on the way back. */
const STRIP = 128;

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
  /** Queries from `from` on, with the keys from the first on. */
  const seenBy = (q: Tensor, k: Tensor, v: Tensor, mask: Tensor | undefined, from: number): Tensor => {
    let scores = q.mul(scale).matmul(k.T);
    if (mask !== undefined) scores = scores.add(mask);
    if (causal) {
      const seen = iota(last(q, 2))
        .add(from)
        .reshape([last(q, 2), 1])
        .ge(iota(last(k, 2)));
      scores = scores.mask(seen).add(seen.eq(0).mul(UNSEEN));
    }
    return shares(scores.softmax(-1)).matmul(v);
  };
  if (T < LONG || S < LONG) return seenBy(q, k, v, mask, 0);
  const strips: Tensor[] = [];
  for (let from = 0; from < T; from += STRIP) {
    const to = Math.min(T, from + STRIP);
    // No query of the strip sees a key behind it.
    const keys = causal ? Math.min(S, to) : S;
    const rows = mask && last(mask, 2) > 1 ? mask.slice(-2, from, to) : mask;
    const masked = rows && last(rows) > 1 ? rows.slice(-1, 0, keys) : rows;
    const of = [q.slice(-2, from, to), k.slice(-2, 0, keys), v.slice(-2, 0, keys), ...(masked ? [masked] : [])];
    strips.push(checkpoint((q, k, v, mask) => seenBy(q as Tensor, k as Tensor, v as Tensor, mask, from), ...of));
  }
  return concat(strips, -2);
}
