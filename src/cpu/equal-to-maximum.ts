import { type Numbers, splitShape } from "../graph/ops";
import type { Tensor } from "../graph/tensor";
import type { Uncertain } from "./uncertain";

/**
 * x = max(x), the maximum repeated over what was reduced, as the gradient of max asks it: both sides are the same device values, so
 * that one of them is equal however far all are off, and an element that no error can raise to the maximum is not. Taken apart
 * by the rule of comparisons, no element would be sure. Null where the node is not of this form.
 */
export function equalToMaximum(node: Tensor, operands: readonly Uncertain[]): Numbers | null {
  const [x, repeated] = node.operands as readonly [Tensor, Tensor];
  let source = repeated;
  while (source.op === "reshape" || source.op === "broadcast") source = source.operands[0] as Tensor;
  if (source.op !== "max" || source.operands[0] !== x || !alongReduced(x, repeated, source)) return null;
  const { values, errors } = operands[0] as Uncertain;
  const { from = 0, to = 0 } = source.attributes;
  const { outer, length, inner } = splitShape(x.shape, from, to);
  const flips = new Float64Array(values.length);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const at = (l: number) => (o * length + l) * inner + i;
      let least = Number.NEGATIVE_INFINITY;
      for (let l = 0; l < length; l++) least = Math.max(least, (values[at(l)] as number) - (errors[at(l)] as number));
      const able: number[] = [];
      let sure = true;
      let nan = false;
      for (let l = 0; l < length; l++) {
        nan ||= errors[at(l)] === 0 && Number.isNaN(values[at(l)]);
        if ((values[at(l)] as number) + (errors[at(l)] as number) < least) continue;
        able.push(at(l));
        sure &&= errors[at(l)] === 0;
      }
      // A maximum of NaN equals nothing.
      if (able.length > 1 && !sure && !nan) for (const each of able) flips[each] = 1;
    }
  }
  return flips;
}

/** Whether `repeated` holds for each element of x the maximum of its own row. */
function alongReduced(x: Tensor, repeated: Tensor, maximum: Tensor): boolean {
  if (repeated.shape.length !== x.shape.length) return false;
  const { from = 0, to = 0 } = maximum.attributes;
  const kept = x.shape.map((length, axis) => (axis >= from && axis < to ? 1 : length));
  const before = repeated.op === "broadcast" ? (repeated.operands[0] as Tensor) : repeated;
  return before.shape.length === kept.length && before.shape.every((length, axis) => length === kept[axis]);
}
