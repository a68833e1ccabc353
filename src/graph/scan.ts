import { checkFlag, checkOptions, isRecord, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape, sameShape } from "../util/shape";
import { scanGradient } from "./scan-gradient";
import { closeOver, leafOf, makeScan } from "./scan-node";
import { Tensor } from "./tensor";

/**
 * `step` over the first axis of `xs` [T, ...], from the carries of `init`: what an LSTM or a GRU is made of. It is called once, with
 * tensors that stand for the carries and for one element of `xs`, and gives the next carries, of the same names and shapes, and `y`.
 * `carry` is what the last step left, `ys` what each gave, [T, ...]. With `reverse` the steps go from the end of `xs`, and `ys` stand
 * where their x does. Compile time and kernels do not grow with T; `grad` goes through time, in another scan. Throws ShapeError where
 * a step changes a carry's shape, TypeError for what is no tensor.
 */
export function scan<C extends Record<string, Tensor>>(
  step: (carry: C, x: Tensor) => { carry: C; y: Tensor },
  init: C,
  xs: Tensor,
  options: { reverse?: boolean } = {},
): { carry: C; ys: Tensor } {
  if (typeof step !== "function") throw new TypeError(`scan: step is ${shown(step)}; it must be a function (carry, x)`);
  checkOptions("scan", options, ["reverse"]);
  const { reverse = false } = options;
  checkFlag("scan", "reverse", reverse);
  const first = carriesOf("init", init);
  if (!(xs instanceof Tensor)) throw new TypeError(`scan: xs must be a Tensor, not ${shown(xs, Tensor)}`);
  const [length, ...inner] = xs.shape;
  if (length === undefined) throw new ShapeError("scan: xs is a scalar; it must have an axis to step over, [T, ...]");

  const carries = first.map(([, { shape }]) => leafOf(shape));
  const x = leafOf(inner, xs.dtype);
  const named = (tensors: readonly Tensor[]) => Object.fromEntries(first.map(([name], i) => [name, tensors[i]])) as C;
  const given = step(named(carries), x);
  if (!isRecord(given)) throw new TypeError(`scan: the step gave ${shown(given)}; it must give {carry, y}`);
  if (!(given.y instanceof Tensor))
    throw new TypeError(`scan: the step gave a y that is ${shown(given.y, Tensor)}; it must be a Tensor`);
  const next = new Map(carriesOf("the step's carry", given.carry));
  for (const name of next.keys()) {
    if (!Object.hasOwn(init, name))
      throw new TypeError(`scan: the step gave a carry "${name}", which init does not have`);
  }
  const nextCarries = first.map(([name, { shape }]) => {
    const made = next.get(name);
    if (made === undefined) throw new TypeError(`scan: the step gave no carry "${name}", which init has`);
    if (!sameShape(made.shape, shape)) {
      throw new ShapeError(
        `scan: the carry "${name}" is ${formatShape(shape)} in init and ${formatShape(made.shape)} after a step; they must be equal`,
      );
    }
    return made;
  });

  const leaves = [...carries, x];
  const results = [...nextCarries, given.y];
  const { closed, inside, body } = closeOver(results, leaves);
  const made = makeScan(
    first.map(([, tensor]) => tensor),
    [xs],
    closed,
    { length, reverse, carries, xs: [x], closed: inside, nextCarries: body.slice(0, -1), ys: body.slice(-1) },
    scanGradient,
  );
  return { carry: named(first.map((_, i) => made.item(i))), ys: made.item(first.length) };
}

function carriesOf(part: string, carries: Record<string, Tensor>): [string, Tensor][] {
  if (!isRecord(carries) || carries instanceof Tensor)
    throw new TypeError(`scan: ${part} is ${shown(carries, Tensor)}; it must be an object of tensors by name`);
  return Object.entries(carries).map(([name, tensor]) => {
    if (!(tensor instanceof Tensor))
      throw new TypeError(`scan: ${part} has "${name}", which is ${shown(tensor, Tensor)} and not a Tensor`);
    if (tensor.dtype !== "float32")
      throw new TypeError(`scan: the carry "${name}" is ${tensor.dtype}; carries are float32`);
    return [name, tensor];
  });
}
