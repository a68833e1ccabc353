import { describe } from "vitest";
import { constant, einsum, grad, input, iota, parameter, random, ShapeError } from "../../src/index";
import { holds, wrong } from "./refusals";

const x = input([2, 3]);
const whole = input([3], "int32");
const scalar = input([]);

describe("a tensor that cannot be is refused where it is written, with its values", () => {
  holds([
    [
      "shapes that do not broadcast",
      () => x.add(input([2])),
      ShapeError,
      "add: shapes [2, 3] and [2] do not broadcast; each axis, from the last, must be equal or 1",
    ],
    [
      "a mask that does not broadcast",
      () => x.mask(input([4])),
      ShapeError,
      "mask: shapes [2, 3] and [4] do not broadcast; each axis, from the last, must be equal or 1",
    ],
    [
      "an operand that is no tensor",
      () => x.mul(wrong("2")),
      TypeError,
      'mul: the operand must be a Tensor or a number, not "2"',
    ],
    [
      "a function for an operand",
      () => x.mul(wrong(Math.exp)),
      TypeError,
      "mul: the operand must be a Tensor or a number, not a function that is not called",
    ],
    [
      "a bigint for an operand",
      () => x.mul(wrong(2n)),
      TypeError,
      "mul: the operand must be a Tensor or a number, not 2n",
    ],
    [
      "a tensor of another copy of the library",
      () => x.matmul(wrong(new (class Tensor {})())),
      TypeError,
      "matmul: the operand must be a Tensor, not a Tensor of another copy of this library (load it once)",
    ],
    ["text for an axis", () => x.sum(wrong("0")), TypeError, 'sum: the axis is "0"; it must be an integer'],
    [
      "options for an axis",
      () => x.sum(wrong({ keepDims: true })),
      TypeError,
      "sum: the axis is a Object; it must be an integer",
    ],
    [
      "text for keepDims",
      () => x.max(0, wrong({ keepDims: "no" }) as never),
      TypeError,
      'max: keepDims is "no"; it must be true or false.',
    ],
    [
      "an operand that is missing",
      () => x.div(wrong(undefined)),
      TypeError,
      "div: the operand must be a Tensor or a number, not undefined",
    ],
    ["a number that is not finite", () => x.add(Number.NaN), RangeError, "the number NaN is not finite in float32"],
    ["a number beyond float32", () => x.add(1e39), RangeError, "the number 1e+39 is not finite in float32"],
    [
      "a fraction beside int32",
      () => whole.add(0.5),
      RangeError,
      "0.5 beside an int32 tensor: it must be an integer of 32 bits",
    ],
    [
      "an integer of more than 32 bits",
      () => whole.add(2 ** 31),
      RangeError,
      "2147483648 beside an int32 tensor: it must be an integer of 32 bits",
    ],
    [
      "two types",
      () => x.add(whole),
      TypeError,
      "add: takes operands of one type, but one is float32 and one int32; toFloat32() or toInt32() converts",
    ],
    [
      "two types in a comparison",
      () => whole.gt(x),
      TypeError,
      "gt: takes operands of one type, but one is int32 and one float32; toFloat32() or toInt32() converts",
    ],
    ["exp of int32", () => whole.exp(), TypeError, "exp: needs float32, it was given int32"],
    ["div of int32", () => whole.div(2), TypeError, "div: needs float32, it was given int32"],
    ["mask of int32", () => whole.mask(x), TypeError, "mask: needs float32, it was given int32"],
    ["sum of int32", () => whole.sum(), TypeError, "sum: needs float32, it was given int32"],
    ["max of int32", () => whole.max(), TypeError, "max: needs float32, it was given int32"],
    ["argmax of int32", () => whole.argmax(0), TypeError, "argmax: needs float32, it was given int32"],
    ["softmax of int32", () => whole.softmax(), TypeError, "softmax: needs float32, it was given int32"],
    ["matmul of int32", () => input([2, 2], "int32").matmul(x), TypeError, "matmul: needs float32, it was given int32"],
    [
      "inner sizes that differ",
      () => input([64, 33]).matmul(input([32, 17])),
      ShapeError,
      "matmul: inner sizes differ: a is [64, 33], b is [32, 17]; a.shape[1] must equal b.shape[0]",
    ],
    [
      "matmul by a vector",
      () => x.matmul(input([3])),
      ShapeError,
      "matmul: b must have at least two axes [..., k, m], it is [3] and a is [2, 3]; reshape it first",
    ],
    [
      "matmul of batches whose inner sizes differ",
      () => x.matmul(input([5, 4, 2])),
      ShapeError,
      "matmul: inner sizes differ: a is [2, 3], b is [5, 4, 2]; a.shape[1] must equal b.shape[1]",
    ],
    [
      "matmul of batches that do not broadcast",
      () => input([2, 4, 3]).matmul(input([3, 3, 2])),
      ShapeError,
      "matmul: leading axes of a [2, 4, 3] and b [3, 3, 2] do not broadcast; each but the last two, from the last, must be equal or 1",
    ],
    [
      "matmul of a vector",
      () => input([3]).matmul(input([3, 2])),
      ShapeError,
      "matmul: a must have at least two axes [..., n, k], it is [3]; a.reshape([1, 3]) makes one row of it",
    ],
    [
      "an einsum without a result",
      () => einsum("ij,jk", x, x),
      TypeError,
      'einsum: the equation is "ij,jk"; it must be letters for the axes of each operand, and of the result, as "ij,jk->ik"',
    ],
    [
      "an einsum of too few operands",
      () => einsum("ij,jk->ik", x),
      TypeError,
      'einsum: "ij,jk->ik" is of 2 operands, and 1 are given; they must be as many',
    ],
    [
      "an einsum with axes that are not there",
      () => einsum("ijk->i", x),
      ShapeError,
      'einsum: "ijk" has 3 axes, operand 1 is [2, 3]; it must have as many',
    ],
    [
      "an einsum whose operands do not fit",
      () => einsum("ij,jk->ik", x, x),
      ShapeError,
      'einsum: axis "j" is 3 of [2, 3] and 2 of [2, 3]; they must be equal',
    ],
    [
      "an einsum whose result has an axis that no operand has",
      () => einsum("ij->ik", x),
      TypeError,
      'einsum: the result of "ij->ik" has an axis "k", which no operand has',
    ],
    [
      "an einsum whose result has an axis twice",
      () => einsum("ij->ii", x),
      TypeError,
      'einsum: the result of "ij->ii" has an axis twice; each must be there once',
    ],
    ["an einsum of integers", () => einsum("i->i", whole), TypeError, "einsum: needs float32, operand 1 is int32"],
    ["matmul by a number", () => x.matmul(wrong(3)), TypeError, "matmul: the operand must be a Tensor, not 3"],
    [
      "T of a vector",
      () => input([3]).T,
      ShapeError,
      "T: swaps the last two axes, and a tensor of shape [3] has only 1",
    ],
    ["T of a scalar", () => scalar.T, ShapeError, "T: swaps the last two axes, and a tensor of shape [] has only 0"],
    [
      "reshape to another size",
      () => x.reshape([4, 2]),
      ShapeError,
      "reshape: [2, 3] has 6 elements, [4, 2] would have 8; they must be equal",
    ],
    [
      "slice that leaves nothing",
      () => x.slice(1, 2, 1),
      ShapeError,
      "slice: from 2 to 1 by 1 leaves nothing of axis 1 of [2, 3]",
    ],
    [
      "slice by 0",
      () => x.slice(0, 0, 1, 0),
      RangeError,
      "slice: a step of 0 goes nowhere; it must be 1 or more, or -1 or less",
    ],
    ["slice from a fraction", () => x.slice(0, 0.5), RangeError, "slice: from is 0.5; it must be an integer"],
    [
      "pad of too few axes",
      () => x.pad([[1, 1]]),
      ShapeError,
      "pad: the widths are [[1,1]] for a tensor of shape [2, 3]; there must be one [before, after] an axis",
    ],
    [
      "pad by less than nothing",
      () =>
        x.pad([
          [1, -1],
          [0, 0],
        ]),
      RangeError,
      "pad: a width is -1; it must be an integer of at least 0",
    ],
    ["reshape to no array", () => x.reshape(wrong(6)), TypeError, "reshape: a shape is an array of numbers, not 6"],
    [
      "broadcastTo what does not fit",
      () => x.broadcastTo([2, 4]),
      ShapeError,
      "broadcastTo: [2, 3] cannot be repeated to [2, 4]",
    ],
    ["broadcastTo fewer axes", () => x.broadcastTo([3]), ShapeError, "broadcastTo: [2, 3] cannot be repeated to [3]"],
    [
      "an axis that is not there",
      () => x.sum(2),
      ShapeError,
      "sum: axis 2 is not in a tensor of shape [2, 3]; axes go from -2 to 1",
    ],
    [
      "a negative axis too far",
      () => x.max(-3),
      ShapeError,
      "max: axis -3 is not in a tensor of shape [2, 3]; axes go from -2 to 1",
    ],
    [
      "a fraction of an axis",
      () => x.argmax(0.5),
      ShapeError,
      "argmax: axis 0.5 is not in a tensor of shape [2, 3]; axes go from -2 to 1",
    ],
    ["an axis of a scalar", () => scalar.sum(0), ShapeError, "sum: axis 0 of a scalar, which has no axes"],
    ["softmax of a scalar", () => scalar.softmax(), ShapeError, "softmax: axis -1 of a scalar, which has no axes"],
    ["oneHot of float32", () => x.oneHot(3), TypeError, "oneHot: indices must be int32, they are float32"],
    [
      "oneHot without classes",
      () => whole.oneHot(0),
      ShapeError,
      "iota: shape [0] has an axis of length 0; each must be an integer of at least 1",
    ],
    ["take by float32", () => x.take(input([2])), TypeError, "take: indices must be an int32 Tensor"],
    ["take by an array", () => x.take(wrong([0, 1])), TypeError, "take: indices must be an int32 Tensor"],
    ["take from a scalar", () => scalar.take(whole), ShapeError, "take: a scalar has no rows to take"],
    [
      "take along an axis that is not there",
      () => x.take(whole, 2),
      ShapeError,
      "take: axis 2 is not in a tensor of shape [2, 3]; axes go from -2 to 1",
    ],
    ["takeAlong by float32", () => x.takeAlong(x, 1), TypeError, "takeAlong: indices must be an int32 Tensor"],
    [
      "takeAlong by indices of fewer axes",
      () => x.takeAlong(whole, 1),
      ShapeError,
      "takeAlong: indices are [3] for a tensor of shape [2, 3] along axis 1; they must have as many axes, each but that one as long or 1",
    ],
    [
      "takeAlong by indices that do not broadcast",
      () => x.takeAlong(input([4, 3], "int32"), 1),
      ShapeError,
      "takeAlong: indices are [4, 3] for a tensor of shape [2, 3] along axis 1; they must have as many axes, each but that one as long or 1",
    ],
    ["scatterAdd by float32", () => x.scatterAdd(x, x), TypeError, "scatterAdd: indices must be an int32 Tensor"],
    [
      "scatterAdd of a number",
      () => x.scatterAdd(whole, wrong(1)),
      TypeError,
      "scatterAdd: the values must be a Tensor, not 1",
    ],
    [
      "scatterAdd of int32",
      () => x.scatterAdd(whole, whole),
      TypeError,
      "scatterAdd: needs float32, it was given int32",
    ],
    [
      "scatterAdd to a scalar",
      () => scalar.scatterAdd(whole, x),
      ShapeError,
      "scatterAdd: a scalar has no rows to add to",
    ],
    [
      "scatterAdd of values that do not fit",
      () => x.scatterAdd(whole, x.reshape([3, 2])),
      ShapeError,
      "scatterAdd: values are [3, 2] for indices [3] into rows of [2, 3]; they must be [3, 3]",
    ],
  ]);
});

describe("leaves", () => {
  holds([
    [
      "an empty axis",
      () => input([2, 0]),
      ShapeError,
      "input: shape [2, 0] has an axis of length 0; each must be an integer of at least 1",
    ],
    [
      "a negative axis",
      () => parameter([-1]),
      ShapeError,
      "parameter: shape [-1] has an axis of length -1; each must be an integer of at least 1",
    ],
    [
      "half an axis",
      () => parameter([1.5]),
      ShapeError,
      "parameter: shape [1.5] has an axis of length 1.5; each must be an integer of at least 1",
    ],
    ["a number for a shape", () => input(wrong(3)), TypeError, "input: a shape is an array of numbers, not 3"],
    [
      "too many elements",
      () => input([65536, 65536]),
      ShapeError,
      "input: shape [65536, 65536] has 4294967296 elements; at most 2147483648 can be indexed",
    ],
    [
      "an unknown type",
      () => input([2], wrong("float64") as never),
      TypeError,
      'input: dtype must be "float32" or "int32", not float64',
    ],
    [
      "a constant of another size",
      () => constant([1, 2], [3]),
      ShapeError,
      "constant: 2 values for shape [3], which has 3 elements",
    ],
    [
      "a constant of rows",
      () =>
        constant(
          wrong([
            [1, 2],
            [3, 4],
          ]),
          [2, 2],
        ),
      TypeError,
      "constant: the values are arrays in an array; give values.flat()",
    ],
    [
      "a constant of text",
      () => constant(wrong(["1"]), [1]),
      TypeError,
      'constant: value "1" at index 0 is not a number',
    ],
    [
      "a constant of one number",
      () => constant(wrong(1), []),
      TypeError,
      "constant: the values are 1; they must be an array of numbers",
    ],
    [
      "text for a length",
      () => input(wrong([2, "3"])),
      ShapeError,
      'input: shape [2, 3] has an axis of length "3"; each must be an integer of at least 1',
    ],
    [
      "a constant that is not finite",
      () => constant([1, Number.POSITIVE_INFINITY], [2]),
      RangeError,
      "constant: value Infinity at index 1 is not finite in float32",
    ],
    [
      "a constant beyond float32",
      () => constant([1e39], [1]),
      RangeError,
      "constant: value 1e+39 at index 0 is not finite in float32",
    ],
    [
      "iota of a fraction",
      () => iota(0.5),
      ShapeError,
      "iota: shape [0.5] has an axis of length 0.5; each must be an integer of at least 1",
    ],
    [
      "random with a float counter",
      () => random([2], scalar, 1),
      TypeError,
      "random: the counter must be an int32 Tensor with one element",
    ],
    [
      "random with several counters",
      () => random([2], whole, 1),
      TypeError,
      "random: the counter must be an int32 Tensor with one element",
    ],
    [
      "random with a fraction of a seed",
      () => random([2], input([], "int32"), 0.5),
      RangeError,
      "0.5 beside an int32 tensor: it must be an integer of 32 bits",
    ],
  ]);
});

describe("grad", () => {
  holds([
    [
      "of more than one number",
      () => grad(x, [x]),
      ShapeError,
      "grad: the loss must be one number, it is [2, 3]; sum() or mean() makes it one",
    ],
    ["of int32", () => grad(input([], "int32"), [x]), TypeError, "grad: the loss must be float32, it is int32"],
    ["of no tensor", () => grad(wrong(3), [x]), TypeError, "grad: the loss must be a Tensor, not 3"],
    [
      "in int32",
      () => grad(x.sum(), [whole]),
      TypeError,
      "grad: derivatives are taken in float32 tensors, wrt holds one of int32",
    ],
    [
      "in a tensor without its array",
      () => grad(x.sum(), wrong(x) as never),
      TypeError,
      "grad: wrt is a Tensor; it must be an array of Tensors, as in grad(loss, [w])",
    ],
    [
      "in nothing",
      () => grad(x.sum(), wrong(undefined) as never),
      TypeError,
      "grad: wrt is undefined; it must be an array of Tensors, as in grad(loss, [w])",
    ],
    ["in no tensor", () => grad(x.sum(), [wrong(null)]), TypeError, "grad: wrt holds null, which is not a Tensor"],
  ]);
});
