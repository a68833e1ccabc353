import { checkOptions, isNumbers, isRecord, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape, type Shape, sameShape, sizeOf } from "../util/shape";
import { Tensor, topological } from "./tensor";

/** One step: reads inputs and parameters, gives outputs, then replaces parameters by updates, all at once. */
export interface Program {
  inputs: Record<string, Tensor>;
  parameters: Record<string, Tensor>;
  outputs: Record<string, Tensor>;
  /** New values of parameters, each computed from the values before the step. */
  updates?: Record<string, Tensor>;
  /** @internal Steps that it is likely to run: what takes long to compile must repay itself within them. */
  steps?: number;
  /** @internal So many of it side by side; left out where there is one. */
  copies?: Copies;
}

/** Copies of a program in one session, each with parameters of its own, and with inputs of its own for the names in `own`. */
export interface Copies {
  readonly count: number;
  readonly own: ReadonlySet<string>;
  /** Parameters that all copies share: no step changes them. */
  readonly shared: ReadonlySet<string>;
}

/** How many copies there are. */
export function countOf({ copies }: Program): number {
  return copies?.count ?? 1;
}

/** Numbers that are given for a tensor, row-major; they are rounded to float32, or are int32. */
export type Values = Float32Array | Float64Array | Int32Array | readonly number[];

/**
 * Checks that a program can run: every leaf is named once, every name is a tensor of the right kind and every
 * update has its parameter's shape. Throws TypeError or ShapeError with the name.
 */
export function checkProgram(program: Program): void {
  if (!isRecord(program)) {
    throw new TypeError(
      `compile: the program is ${shown(program)}; it must be an object {inputs, parameters, outputs, updates}`,
    );
  }
  const { inputs, parameters, outputs, updates = {} } = program;
  for (const [part, tensors] of Object.entries({ inputs, parameters, outputs, updates })) {
    checkNamed(`compile: ${part} must be an object of tensors by name`, tensors);
    for (const [name, tensor] of Object.entries(tensors)) {
      if (!(tensor instanceof Tensor))
        throw new TypeError(`compile: ${part}.${name} is ${shown(tensor, Tensor)}, not a Tensor`);
    }
  }
  const names = new Map<Tensor, string>();
  for (const [op, tensors] of [
    ["input", inputs],
    ["parameter", parameters],
  ] as const) {
    for (const [name, tensor] of Object.entries(tensors)) {
      if (tensor.op !== op)
        throw new TypeError(`compile: ${op}s.${name} was made by ${tensor.op}(), it must be made by ${op}()`);
      const other = names.get(tensor);
      if (other !== undefined)
        throw new TypeError(`compile: one tensor has two names, "${other}" and "${name}"; a leaf has one`);
      names.set(tensor, name);
    }
  }
  for (const name of Object.keys(inputs)) {
    if (Object.hasOwn(parameters, name))
      throw new TypeError(`compile: "${name}" names an input and a parameter; names must differ`);
  }
  for (const name of Object.keys(outputs)) {
    if (Object.hasOwn(parameters, name)) {
      throw new TypeError(
        `compile: "${name}" names a parameter and an output; read("${name}") could not tell them apart, rename the output`,
      );
    }
  }
  if (Object.keys(outputs).length === 0 && Object.keys(updates).length === 0) {
    throw new TypeError("compile: the program has no outputs and no updates, so it computes nothing");
  }
  for (const [name, tensor] of Object.entries(updates)) {
    const target = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (target === undefined) {
      throw new TypeError(
        `compile: updates.${name} has no parameter of that name; parameters are ${Object.keys(parameters).join(", ") || "none"}`,
      );
    }
    if (!sameShape(tensor.shape, target.shape)) {
      throw new ShapeError(
        `compile: updates.${name} is ${formatShape(tensor.shape)}, the parameter is ${formatShape(target.shape)}; they must be equal`,
      );
    }
    if (tensor.dtype !== "float32")
      throw new TypeError(`compile: updates.${name} is ${tensor.dtype}, parameters are float32`);
  }
  for (const node of topological([...Object.values(outputs), ...Object.values(updates)])) {
    if (node.attributes.ofStep) {
      throw new TypeError(
        `compile: a tensor made within the step of a scan is used outside of it, one of shape ${formatShape(node.shape)}; let the step give it back as y or in its carry`,
      );
    }
    if ((node.op === "input" || node.op === "parameter") && !names.has(node)) {
      throw new TypeError(
        `compile: ${article(node.op)} of shape ${formatShape(node.shape)} is used but not named in ${node.op}s; add it there`,
      );
    }
  }
}

function article(op: string): string {
  return `${op === "input" ? "an" : "a"} ${op}`;
}

/**
 * Checks values against the tensors that they are for: known names, right lengths, all finite in float32, integers of 32
 * bits for int32. With `all`, none may be missing. Nothing is converted or kept. Throws TypeError, ShapeError or RangeError.
 */
export function checkValues(
  part: string,
  tensors: Record<string, Tensor>,
  values: Record<string, Values>,
  all: boolean,
  /** Copies of which a name's array holds the values, one after another. */
  copiesOf: (name: string) => number = () => 1,
): void {
  const known = () => Object.keys(tensors).join(", ") || "none";
  checkNamed(`${part}: values must be an object of arrays by name`, values);
  for (const [name, array] of Object.entries(values)) {
    const tensor = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
    if (tensor === undefined) throw new TypeError(`${part}: there is no "${name}"; known names are ${known()}`);
    checkArray(part, name, tensor, array, copiesOf(name));
  }
  if (!all) return;
  for (const name of Object.keys(tensors)) {
    if (!Object.hasOwn(values, name))
      throw new TypeError(`${part}: "${name}" is missing; the program's inputs are ${known()}`);
  }
}

/** Also of { __proto__: tensor }, which makes the tensor a prototype and names nothing. */
function checkNamed(message: string, named: unknown): void {
  if (isRecord(named) && !(named instanceof Tensor)) return;
  throw new TypeError(named === undefined || named === null ? message : `${message}, not ${shown(named)}`);
}

function checkArray(
  part: string,
  name: string,
  { shape, dtype }: { shape: Shape; dtype: string },
  values: Values,
  copies: number,
): void {
  const listed =
    Array.isArray(values) ||
    values instanceof Float32Array ||
    values instanceof Float64Array ||
    values instanceof Int32Array;
  if (!listed) {
    const made = isNumbers(values) ? "; Float32Array.from() makes one of it" : "";
    throw new TypeError(
      `${part}: "${name}" must be a Float32Array, Float64Array, Int32Array or an array of numbers, not ${shown(values)}${made}`,
    );
  }
  if (isNumbers(values[0])) {
    throw new TypeError(`${part}: "${name}" is an array of arrays; give the numbers row after row, as its flat() does`);
  }
  if (values.length !== copies * sizeOf(shape)) {
    const needs = copies === 1 ? "needs" : `and ${copies} copies, one after another, need`;
    throw new ShapeError(
      `${part}: "${name}" has ${values.length} values, its shape ${formatShape(shape)} ${needs} ${copies * sizeOf(shape)}`,
    );
  }
  if (values instanceof Int32Array) return;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (typeof value !== "number")
      throw new TypeError(`${part}: "${name}" has ${shown(value)} at index ${i}, which is not a number`);
    if (!Number.isFinite(Math.fround(value))) {
      throw new RangeError(
        `${part}: "${name}" has ${value} at index ${i}, which is not finite in float32; clean or scale the data`,
      );
    }
    if (dtype === "int32" && (value | 0) !== value) {
      throw new RangeError(
        `${part}: "${name}" is int32 and has ${value} at index ${i}; it must be an integer of 32 bits`,
      );
    }
  }
}

/** Checks the options of a run; gives them with their defaults. Throws RangeError. */
export function checkSteps(
  part: string,
  options: { steps?: number; every?: number },
  known: readonly string[] = ["steps", "every"],
): { steps: number; every: number } {
  checkOptions(part, options, known);
  const { steps = 1, every = 1 } = options;
  for (const [name, value] of [
    ["steps", steps],
    ["every", every],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`${part}: ${name} is ${shown(value)}; it must be an integer of at least 1`);
  }
  return { steps, every };
}
