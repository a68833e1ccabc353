import { einsum } from "../../graph/einsum";
import type { Tensor } from "../../graph/tensor";
import { sizeOf } from "../../util/shape";
import { binary, type Call, type Operator, type Operators, placeOf } from "../call";

/** A reduction over the axes that are given, or all; `of` keeps them at length 1. */
const reduction =
  (of: (x: Tensor, axes: number[] | undefined, options: { keepDims: boolean }) => Tensor): Operator =>
  (call) => {
    const axes = call.axes("axes", 1);
    const none = axes === null || axes.length === 0;
    if (none && call.number("noop_with_empty_axes", 0) === 1) return call.x();
    const made = of(call.float(), none ? undefined : axes, { keepDims: call.number("keepdims", 1) === 1 });
    return call.x().dtype === "int32" ? made.toInt32() : made;
  };

/** Sums of products, and what else takes many elements to one. */
export const REDUCTIONS: Operators = {
  MatMul: binary((a, b) => a.matmul(b)),
  Gemm: (call) => {
    const side = (i: number, name: string) => (call.number(name, 0) === 1 ? call.x(i).T : call.x(i));
    const times = (x: Tensor, factor: number) => (factor === 1 ? x : x.mul(factor));
    const product = times(side(0, "transA").matmul(side(1, "transB")), call.number("alpha", 1));
    return call.has(2) ? product.add(times(call.x(2), call.number("beta", 1))) : product;
  },
  Einsum: (call) => einsum(spelled(call), ...call.all().map((x) => x.toFloat32())),

  ReduceSum: reduction((x, axes, options) => x.sum(axes, options)),
  ReduceMean: reduction((x, axes, options) => x.mean(axes, options)),
  ReduceMax: reduction((x, axes, options) => x.max(axes, options)),
  ReduceMin: reduction((x, axes, options) => x.min(axes, options)),
  ReduceProd: reduction((x, axes, options) => x.prod(axes, options)),
  ReduceL1: reduction((x, axes, options) => x.abs().sum(axes, options)),
  ReduceL2: reduction((x, axes, options) => x.square().sum(axes, options).sqrt()),
  ReduceSumSquare: reduction((x, axes, options) => x.square().sum(axes, options)),
  ReduceLogSum: reduction((x, axes, options) => x.sum(axes, options).log()),
  ReduceLogSumExp: reduction((x, axes, options) => x.logSumExp(axes, options)),
  ArgMax: (call) => indexOf(call, (x, axis) => x.argmax(axis)),
  ArgMin: (call) => indexOf(call, (x, axis) => x.argmin(axis)),
  Softmax: (call) => overAxis(call, (x, axis) => x.softmax(axis)),
  LogSoftmax: (call) => overAxis(call, (x, axis) => x.logSoftmax(axis)),
  CumSum: (call) => {
    const axis = call.numbers(1)?.[0] ?? 0;
    const flipped = call.number("reverse", 0) === 1;
    const turn = (x: Tensor) => (flipped ? x.slice(axis, undefined, undefined, -1) : x);
    const x = turn(call.float());
    const sums = x.cumsum(axis);
    return turn(call.number("exclusive", 0) === 1 ? sums.sub(x) : sums);
  },
  Hardmax: (call) =>
    overAxis(call, (x, axis) => {
      const length = x.shape.at(axis) as number;
      const last = placeOf(axis, x.shape.length);
      const rows = x.argmax(axis).oneHot(length);
      const order = [...rows.shape.keys()].slice(0, -1);
      return rows.permute([...order.slice(0, last), rows.shape.length - 1, ...order.slice(last)]);
    }),
};

/**
 * An equation as `einsum` takes it: with letters of its own for what "..." stands for, and with a result, which ONNX may leave out: all
 * letters that stand once, in order.
 */
function spelled(call: Call): string {
  const [terms = "", result] = call.text("equation", "").replaceAll(" ", "").split("->");
  const spare = "ZYXWVUTSRQPONMLKJIHGFEDCBA";
  let most = 0;
  const named = terms.split(",").map((term, i) => {
    const hidden = call.x(i).shape.length - term.replace("...", "").length;
    if (term.includes("...")) most = Math.max(most, hidden);
    return term.replace("...", spare.slice(0, Math.max(0, hidden)).split("").reverse().join(""));
  });
  const open = spare.slice(0, most).split("").reverse().join("");
  const letters = named.join("").split("").sort();
  const once = letters.filter((each) => !open.includes(each) && letters.indexOf(each) === letters.lastIndexOf(each));
  return `${named.join(",")}->${result?.replace("...", open) ?? open + once.join("")}`;
}

function indexOf(call: Call, of: (x: Tensor, axis: number) => Tensor): Tensor {
  if (call.number("select_last_index", 0) === 1) call.refuse("wants the last of equal ones, which is not known");
  const axis = call.number("axis", 0);
  const at = of(call.float(), axis);
  if (call.number("keepdims", 1) === 0) return at;
  const { shape } = call.x();
  const place = placeOf(axis, shape.length);
  return at.reshape(shape.map((length, each) => (each === place ? 1 : length)));
}

/** Softmax along one axis; before operator set 13 over all axes from one on. */
function overAxis(call: Call, of: (x: Tensor, axis: number) => Tensor): Tensor {
  const { shape } = call.x();
  if (call.opset >= 13) return of(call.x(), call.number("axis", -1));
  const axis = call.number("axis", 1);
  const at = placeOf(axis, shape.length);
  return of(call.x().reshape([sizeOf(shape.slice(0, at)), sizeOf(shape.slice(at))]), 1).reshape(shape);
}
