import { shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape, type Shape } from "../util/shape";
import { contraction, Tensor } from "./tensor";

/** A tensor and what each of its axes is called. */
interface Named {
  readonly tensor: Tensor;
  readonly axes: string;
}

/**
 * NumPy's, with the result written out: `einsum("bhqd,bhkd->bhqk", q, k)`. A letter is an axis; those that the result does not have
 * are summed over. Of more than two operands the first two are contracted, then the result with the next. Throws TypeError for an
 * equation that is none, and ShapeError where operands do not fit it, or one another.
 */
export function einsum(equation: string, ...operands: readonly Tensor[]): Tensor {
  const { inputs, output } = parsed(equation);
  if (operands.length !== inputs.length) {
    throw new TypeError(
      `einsum: "${equation}" is of ${inputs.length} operands, and ${operands.length} are given; they must be as many`,
    );
  }
  const lengths = new Map<string, { length: number; shape: Shape }>();
  const named = operands.map((tensor, i): Named => {
    const axes = inputs[i] as string;
    if (!(tensor instanceof Tensor))
      throw new TypeError(`einsum: operand ${i + 1} must be a Tensor, not ${shown(tensor, Tensor)}`);
    if (tensor.dtype !== "float32") throw new TypeError(`einsum: needs float32, operand ${i + 1} is ${tensor.dtype}`);
    if (tensor.shape.length !== axes.length) {
      throw new ShapeError(
        `einsum: "${axes}" has ${axes.length} axes, operand ${i + 1} is ${formatShape(tensor.shape)}; it must have as many`,
      );
    }
    tensor.shape.forEach((length, axis) => {
      const name = axes[axis] as string;
      const known = lengths.get(name);
      if (known !== undefined && known.length !== length) {
        throw new ShapeError(
          `einsum: axis "${name}" is ${known.length} of ${formatShape(known.shape)} and ${length} of ${formatShape(tensor.shape)}; they must be equal`,
        );
      }
      lengths.set(name, { length, shape: tensor.shape });
    });
    return onDiagonals({ tensor, axes });
  });
  const missing = [...output].find((axis) => !lengths.has(axis));
  if (missing !== undefined)
    throw new TypeError(`einsum: the result of "${equation}" has an axis "${missing}", which no operand has`);

  let [joined, ...rest] = named as [Named, ...Named[]];
  for (const [i, next] of rest.entries()) {
    const wanted =
      output +
      rest
        .slice(i + 1)
        .map(({ axes }) => axes)
        .join("");
    joined = joinedBy(joined, next, wanted);
  }
  const { tensor, axes } = summed(joined, output);
  return tensor.permute([...output].map((axis) => axes.indexOf(axis)));
}

function parsed(equation: string): { inputs: readonly string[]; output: string } {
  const text = typeof equation === "string" ? equation.replaceAll(" ", "") : "";
  const [left = "", output, more] = text.split("->");
  const inputs = left.split(",");
  const all = [...inputs, output ?? ""];
  if (output === undefined || more !== undefined || !all.every((axes) => /^[A-Za-z]*$/.test(axes))) {
    throw new TypeError(
      `einsum: the equation is ${shown(equation)}; it must be letters for the axes of each operand, and of the result, as "ij,jk->ik"`,
    );
  }
  if (new Set(output).size !== output.length)
    throw new TypeError(`einsum: the result of "${equation}" has an axis twice; each must be there once`);
  return { inputs, output };
}

/** An axis that is there twice is where both are equal. */
function onDiagonals({ tensor, axes }: Named): Named {
  const first = [...axes].findIndex((axis, i) => axes.indexOf(axis, i + 1) > 0);
  if (first < 0) return { tensor, axes };
  const second = axes.indexOf(axes[first] as string, first + 1);
  const others = [...axes].flatMap((_, i) => (i === first || i === second ? [] : [i]));
  const diagonal = tensor.permute([...others, first, second]).diagonal();
  return onDiagonals({ tensor: diagonal, axes: [...others, first].map((i) => axes[i]).join("") });
}

/** Summed over the axes that are not `wanted`. */
function summed({ tensor, axes }: Named, wanted: string): Named {
  const gone = [...axes].flatMap((axis, i) => (wanted.includes(axis) ? [] : [i]));
  if (gone.length === 0) return { tensor, axes };
  return { tensor: tensor.sum(gone), axes: [...axes].filter((axis) => wanted.includes(axis)).join("") };
}

/** The product of two, over all axes that neither the result nor a later operand wants. */
function joinedBy(left: Named, right: Named, wanted: string): Named {
  const a = summed(left, wanted + right.axes);
  const b = summed(right, wanted + left.axes);
  const shared = [...a.axes].filter((axis) => b.axes.includes(axis));
  const batch = shared.filter((axis) => wanted.includes(axis));
  const terms = shared.filter((axis) => !wanted.includes(axis));
  const rows = [...a.axes].filter((axis) => !shared.includes(axis));
  const columns = [...b.axes].filter((axis) => !shared.includes(axis));
  const inOrder = ({ tensor, axes }: Named, order: readonly string[]) =>
    tensor.permute(order.map((axis) => axes.indexOf(axis)));
  const [x, y] = [inOrder(a, [...batch, ...rows, ...terms]), inOrder(b, [...batch, ...terms, ...columns])];
  // One number by one number is no product of matrices.
  if (terms.length === 0 || rows.length + columns.length === 0) {
    const besides = x
      .reshape([...x.shape, ...columns.map(() => 1)])
      .mul(y.reshape([...y.shape.slice(0, batch.length), ...rows.map(() => 1), ...y.shape.slice(batch.length)]));
    const over = terms.map((_, i) => batch.length + i);
    return { tensor: over.length > 0 ? besides.sum(over) : besides, axes: [...batch, ...rows, ...columns].join("") };
  }
  const tensor = contraction(x, y, batch.length, terms.length);
  return { tensor, axes: [...batch, ...rows, ...columns].join("") };
}
