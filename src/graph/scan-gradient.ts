import { DeferredSums } from "./deferred-sums";
import { leafOf, makeScan, type Scan, type Vjp } from "./scan-node";
import { literal, type Tensor } from "./tensor";

const zeros = ({ shape }: { readonly shape: Tensor["shape"] }) => literal(0).broadcastTo(shape);

/**
 * The gradients in a scan's operands, where they are `wanted`, from those in its parts, of which some may be missing: a scan the other way
 * round. It carries the gradient in the carries, and a sum for each tensor that is closed over, as far as that is no product: those are made
 * of all steps together. Of each step it reads x and the carries before it, and does the step again.
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
  const ofCarries = carries.map((_, i) => scan.item(count + ys.length + i));
  const terms = ofClosed.map((_, i) => inStep[count + ofXs.length + i] ?? null);
  const deferred = new DeferredSums(
    terms.filter((term) => term !== null),
    [...xs, ...carries, ...after, ...given.map(({ leaf }) => leaf)],
  );
  const sums = terms.map((term) => (term ? deferred.sumOf(term) : { inStep: null, later: null }));
  const carried = sums.flatMap(({ inStep }) => (inStep ? [{ inStep, leaf: leafOf(inStep.shape) }] : []));
  /** What has one value for each step outside of the scan. */
  const sequenceOf = new Map<Tensor, Tensor>([
    ...xs.map((leaf, i) => [leaf, sequences[i] as Tensor] as const),
    ...carries.map((leaf, i) => [leaf, ofCarries[i] as Tensor] as const),
    ...given.map(({ leaf, gradient }) => [leaf, gradient] as const),
  ]);
  const ofEach = ofXs.map((leaf, i) => inStep[count + i] ?? zeros(leaf));
  const kept = [...new Set([...ofEach, ...[...deferred.kept].filter((node) => !sequenceOf.has(node))])];
  const back = makeScan(
    [...inits.map((init, i) => gradients[i] ?? zeros(init)), ...carried.map(({ leaf }) => zeros(leaf))],
    [...sequences, ...ofCarries, ...given.map(({ gradient }) => gradient)],
    around,
    {
      length,
      reverse: !body.reverse,
      carries: [...after, ...carried.map(({ leaf }) => leaf)],
      xs: [...xs, ...carries, ...given.map(({ leaf }) => leaf)],
      closed,
      nextCarries: [...before, ...carried.map(({ leaf, inStep }) => leaf.add(inStep))],
      ys: kept,
    },
    scanGradient,
  );
  const stacked = (node: Tensor) => sequenceOf.get(node) ?? back.item(count + carried.length + kept.indexOf(node));
  const sumOf = (held: number): Tensor | null => {
    const { inStep: own, later } = sums[held] as (typeof sums)[number];
    const added = own && back.item(count + carried.findIndex(({ inStep }) => inStep === own));
    const made = later?.(stacked) ?? null;
    if (added && made) return added.add(made);
    return added ?? made;
  };
  const gradientOf = (leaf: Tensor): Tensor | null => {
    const [x, held] = [ofXs.indexOf(leaf), ofClosed.indexOf(leaf)];
    if (x >= 0) return stacked(ofEach[x] as Tensor);
    return held >= 0 ? sumOf(held) : null;
  };
  return [...carries.map((_, i) => back.item(i)), ...[...xs, ...closed].map(gradientOf)];
}
