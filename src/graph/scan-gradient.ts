import { leafOf, makeScan, type Scan } from "./scan";
import { literal, type Tensor } from "./tensor";

/** Gradients of weighed outputs in each of `wrt`; null where there is none. */
export type Vjp = (
  outputs: readonly Tensor[],
  weights: readonly Tensor[],
  wrt: readonly Tensor[],
) => readonly (Tensor | null)[];

const zeros = ({ shape }: { readonly shape: Tensor["shape"] }) => literal(0).broadcastTo(shape);

/**
 * The gradients in a scan's operands, where they are `wanted`, from those in its parts, of which some may be missing: a scan the other way
 * round. It carries the gradient in the carries, and a sum for each tensor that is closed over; of each step it reads x and the carries
 * before it, and does the step again.
 */
export function scanGradient(
  scan: Scan,
  gradients: readonly (Tensor | undefined)[],
  wanted: readonly boolean[],
  vjp: Vjp,
): (Tensor | null)[] {
  const { body } = scan;
  const { length, carries, xs, closed, nextCarries, ys } = body;
  const count = carries.length;
  const inits = scan.operands.slice(0, count);
  const sequences = scan.operands.slice(count, count + xs.length);
  const around = scan.operands.slice(count + xs.length);
  const isWanted = (leaf: Tensor, at: number) => leaf.dtype === "float32" && wanted[at] === true;
  const ofXs = xs.filter((leaf, i) => isWanted(leaf, count + i));
  const ofClosed = closed.filter((leaf, i) => isWanted(leaf, count + xs.length + i));

  const after = carries.map(({ shape }) => leafOf(shape));
  const sums = ofClosed.map(({ shape }) => leafOf(shape));
  /** Gradients of what has one value for each step: their leaves here. */
  const weights = [...ys, ...carries].map((each, i) => (gradients[count + i] ? leafOf(each.shape) : null));
  const given = weights.flatMap((leaf, i) => (leaf ? [{ leaf, gradient: gradients[count + i] as Tensor }] : []));
  const outputs = ys.flatMap((y, i) => (weights[i] ? [{ y, weight: weights[i] }] : []));
  const inStep = vjp(
    [...nextCarries, ...outputs.map(({ y }) => y)],
    [...after, ...outputs.map(({ weight }) => weight)],
    [...carries, ...ofXs, ...ofClosed],
  );
  const before = carries.map((carry, i) => {
    const own = inStep[i];
    const kept = weights[ys.length + i];
    return own && kept ? own.add(kept) : (own ?? kept ?? zeros(carry));
  });
  const back = makeScan(
    [...inits.map((init, i) => gradients[i] ?? zeros(init)), ...ofClosed.map(zeros)],
    [
      ...sequences,
      ...carries.map((_, i) => scan.item(count + ys.length + i)),
      ...given.map(({ gradient }) => gradient),
    ],
    around,
    {
      length,
      reverse: !body.reverse,
      carries: [...after, ...sums],
      xs: [...xs, ...carries, ...given.map(({ leaf }) => leaf)],
      closed,
      nextCarries: [
        ...before,
        ...sums.map((sum, i) => {
          const own = inStep[count + ofXs.length + i];
          return own ? sum.add(own) : sum;
        }),
      ],
      ys: ofXs.map((leaf, i) => inStep[count + i] ?? zeros(leaf)),
    },
  );
  const gradientOf = (leaf: Tensor): Tensor | null => {
    const [x, held] = [ofXs.indexOf(leaf), ofClosed.indexOf(leaf)];
    if (x >= 0) return back.item(count + ofClosed.length + x);
    return held >= 0 ? back.item(count + held) : null;
  };
  return [...carries.map((_, i) => back.item(i)), ...[...xs, ...closed].map(gradientOf)];
}
