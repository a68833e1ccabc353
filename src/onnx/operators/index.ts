import type { DecodedNode, DecodedTensor } from "../../files/onnx-decode";
import { Tensor } from "../../graph/tensor";
import type { Pass } from "../../nn/layers/layer";
import { FormatError } from "../../util/errors";
import { formatShape } from "../../util/shape";
import { Call, evaluated, known, OnnxValue, type Operators, type Rows, toldOf } from "../call";
import { ARITHMETIC } from "./arithmetic";
import { NEURAL } from "./neural";
import { RECURRENT } from "./recurrent";
import { REDUCTIONS } from "./reductions";
import { RESIZE } from "./resize";
import { VIEWS } from "./views";

/** ONNX's operators by their names, as far as there are tensors for them. Source: Operators.md of https://github.com/onnx/onnx. */
const OPERATORS: Operators = {
  ...ARITHMETIC,
  ...REDUCTIONS,
  ...VIEWS,
  ...NEURAL,
  ...RESIZE,
  ...RECURRENT,
  Constant: (call) => [constantOf(call)],
};

/** Whether there is something for an operator. */
export function isKnown({ op, domain }: DecodedNode): boolean {
  return (domain === "" || domain === "ai.onnx") && Object.hasOwn(OPERATORS, op);
}

function constantOf(call: Call): OnnxValue {
  for (const [name, type] of [
    ["value_float", "float"],
    ["value_floats", "float"],
    ["value_int", "integer"],
    ["value_ints", "integer"],
  ] as const) {
    const value = call.attribute(name);
    if (typeof value === "number") return known([value], [], type);
    if (value !== undefined) {
      const list = call.list(name) ?? [];
      return known(list, [list.length], type);
    }
  }
  const value = call.attribute("value");
  if (value === undefined || typeof value !== "object" || !("values" in value)) return call.refuse("has no tensor");
  const { values, shape, type } = value as DecodedTensor;
  return known(values, shape, type);
}

export interface Context {
  /** The version of the default operator set. */
  readonly opset: number;
  readonly pass?: Pass;
  readonly rows?: Rows;
}

/** What a node gives, by its outputs. Throws FormatError with the node and operator where it is not known. */
export function apply(node: DecodedNode, inputs: readonly (OnnxValue | null)[], context: Context): OnnxValue[] {
  const operator = isKnown(node) ? OPERATORS[node.op] : undefined;
  const run = (given: readonly (OnnxValue | null)[]) => {
    const call = new Call(node, given, context.opset, context.pass ?? null, context.rows ?? null);
    if (operator === undefined) return call.refuse(`there is no such operator here, of operator set ${context.opset}`);
    const made = operator(call);
    return made instanceof Tensor ? [made] : made;
  };
  try {
    const values = run(inputs);
    const foldable = inputs.every((value) => value === null || value.knowable);
    return values.map((value, i) => {
      if (value instanceof OnnxValue) return value;
      return new OnnxValue(value, foldable ? () => folded(run, inputs, i) : null);
    });
  } catch (error) {
    if (error instanceof FormatError) throw error;
    const shapes = inputs.map((value) => (value ? formatShape(value.tensor.shape) : "none")).join(", ");
    throw new FormatError(`onnx: ${toldOf(node)} of ${shapes}: ${(error as Error).message}`);
  }
}

/** The numbers of a result, all of whose operands are known: of the same node with constants for them. */
function folded(
  run: (inputs: readonly (OnnxValue | null)[]) => readonly (Tensor | OnnxValue)[],
  inputs: readonly (OnnxValue | null)[],
  i: number,
): ArrayLike<number> | null {
  const constants: (OnnxValue | null)[] = [];
  for (const value of inputs) {
    const numbers = value?.numbers ?? null;
    if (value !== null && numbers === null) return null;
    const type = value?.tensor.dtype === "int32" ? "integer" : "float";
    constants.push(
      value === null || numbers === null ? null : known(numbers, numbers.length === 0 ? [0] : value.tensor.shape, type),
    );
  }
  const made = run(constants)[i];
  if (made === undefined) return null;
  return made instanceof OnnxValue ? made.numbers : evaluated(made);
}
