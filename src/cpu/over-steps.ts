import type { Scan } from "../graph/scan-node";
import { type Tensor, topological } from "../graph/tensor";
import { sizeOf } from "../util/shape";

/** How values are told apart and computed: numbers alone, or numbers with what is known of their errors. */
interface Kind<V> {
  /** Elements `from` … `to - 1`. */
  slice(value: V, from: number, to: number): V;
  compute(node: Tensor, operands: readonly V[]): V;
}

/** The parts of a scan by plain steps, one after another: the carries at the end, then every y and every carry before its step. */
export function overSteps<V>(node: Tensor, operands: readonly V[], { slice, compute }: Kind<V>): V[] {
  const scan = node as Scan;
  const { length, reverse, carries, xs, closed, nextCarries, ys } = scan.body;
  const nodes = topological([...nextCarries, ...ys]).filter(({ attributes }) => !attributes.ofStep);
  const each = scan.parts.slice(carries.length).map((): V[] => new Array<V>(length));
  let state = operands.slice(0, carries.length);
  for (let step = 0; step < length; step++) {
    const at = reverse ? length - 1 - step : step;
    const known = new Map<Tensor, V>();
    carries.forEach((leaf, i) => {
      known.set(leaf, state[i] as V);
    });
    xs.forEach((leaf, i) => {
      const size = sizeOf(leaf.shape);
      known.set(leaf, slice(operands[carries.length + i] as V, at * size, (at + 1) * size));
    });
    closed.forEach((leaf, i) => {
      known.set(leaf, operands[carries.length + xs.length + i] as V);
    });
    const knownOf = (tensor: Tensor) => known.get(tensor) as V;
    for (const inner of nodes) known.set(inner, compute(inner, inner.operands.map(knownOf)));
    [...ys, ...carries].forEach((tensor, i) => {
      (each[i] as V[])[at] = knownOf(tensor);
    });
    state = nextCarries.map(knownOf);
  }
  return [...state, ...each.flat()];
}

/** Numbers one after another. */
export function joined(parts: readonly Float64Array[]): Float64Array {
  const out = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
