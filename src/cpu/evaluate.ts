import { composed } from "../graph/compose";
import { type Numbers, rowOf, splitShape, spread } from "../graph/ops";
import { input, type Tensor, topological } from "../graph/tensor";
import { sizeOf } from "../util/shape";
import { joined, overSteps } from "./over-steps";

/**
 * The value of one node in float64, by one plain loop, from its operands' values. Leaves that are fed (inputs,
 * parameters) are not computed here.
 */
export function evaluate(
  node: Pick<Tensor, "op" | "operands" | "shape" | "attributes">,
  operands: readonly Numbers[],
): Numbers {
  const row = rowOf(node.op);
  const { shape, attributes } = node;
  const out = new Float64Array(sizeOf(shape));
  switch (row.kind) {
    case "elementwise": {
      const [x, y = x, z = x] = operands.map((operand, i) =>
        spread(operand, (node.operands[i] as Tensor).shape, shape),
      ) as [Numbers, Numbers?, Numbers?];
      for (let i = 0; i < out.length; i++) out[i] = row.evaluate(x[i] as number, y[i] as number, z[i] as number);
      return out;
    }
    case "reduction": {
      const { outer, length, inner } = splitShape(
        (node.operands[0] as Tensor).shape,
        attributes.from ?? 0,
        attributes.to ?? 0,
      );
      row.loop(operands[0] as Numbers, out, outer, length, inner);
      return out;
    }
    case "scan":
      return joined(
        overSteps(node as Tensor, operands, {
          slice: (value, from, to) => value.subarray(from, to),
          compute: evaluate,
        }),
      );
    case "leaf":
    case "view":
    case "gather":
    case "scatter":
    case "contraction":
    case "item":
    case "composite": {
      if (attributes.values) out.set(attributes.values);
      else if (row.loop)
        row.loop(
          operands,
          node.operands.map((operand) => operand.shape),
          out,
          shape,
          attributes,
        );
      else if (row.kind === "composite") return overParts(node as Tensor, operands, evaluate);
      else throw new Error(`internal: ${node.op} has no value of its own`);
      return out;
    }
    default:
      return row satisfies never;
  }
}

/** What `compute` makes of the parts of a composite, one after another, from what is known of its operands. */
export function overParts<V>(
  node: Tensor,
  operands: readonly V[],
  compute: (part: Tensor, operands: readonly V[]) => V,
): V {
  const given = node.operands.map(({ shape, dtype }) => input(shape, dtype));
  const made = composed(node.withOperands(given)) as Tensor;
  const known = new Map(given.map((leaf, i) => [leaf, operands[i] as V]));
  for (const part of topological([made])) {
    if (known.has(part)) continue;
    const own = part.operands.map((operand) => known.get(operand) as V);
    known.set(part, compute(part, own));
  }
  return known.get(made) as V;
}

export function isFed(node: Tensor): boolean {
  return node.op === "input" || node.op === "parameter";
}
