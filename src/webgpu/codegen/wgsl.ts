import { type DType, elementwiseRow } from "../../graph/ops";
import type { Tensor } from "../../graph/tensor";
import { type Access, elementAt, isAligned } from "../../graph/view";
import type { Expression } from "../../plan/expression";

/** An index in memory: WGSL of it, or the number that it is. */
export type Index = string | number;

export function indexText(index: Index): string {
  return typeof index === "number" ? unsigned(index) : index;
}

/** Where an expression is evaluated. */
export interface Point {
  /** The index that an access gives here. */
  index(access: Access): Index;
  /** WGSL of what a tensor in memory holds there. */
  load(tensor: Tensor, access: Access): string;
  /** WGSL of any element of a tensor in memory. */
  element(tensor: Tensor, index: Index): string;
  /** WGSL of a value that the kernel computed before. */
  own(tensor: Tensor): string;
}

/** A coordinate of a point by its name, and how many values it takes. */
export interface Axis {
  readonly name: string;
  readonly length: number;
}

/** Statements that share their names: what was computed for one point is at hand for the next. */
export interface Scope {
  readonly lines: string[];
  /** The name of each value, by its text. */
  readonly known: Map<string, string>;
}

/** Writes expressions as WGSL statements; equal expressions are computed once. */
export class Body implements Scope {
  readonly lines: string[];
  readonly known: Map<string, string>;
  private readonly names = new Map<Expression, string>();

  constructor(
    private readonly point: Point,
    /** Keeps the names of two bodies in one function apart. */
    private readonly prefix: string,
    { lines, known }: Scope = { lines: [], known: new Map() },
  ) {
    this.lines = lines;
    this.known = known;
  }

  /** WGSL of the expression's value: a name, or something as short. */
  value(expression: Expression): string {
    const name = this.names.get(expression) ?? this.write(expression);
    this.names.set(expression, name);
    return name;
  }

  private write(expression: Expression): string {
    switch (expression.kind) {
      case "literal":
        return literalText(expression.value, expression.dtype);
      case "own":
        return this.point.own(expression.tensor);
      case "position":
        return this.named(`i32(${this.index(expression.access)})`);
      case "load":
        return this.named(this.point.load(expression.tensor, expression.access));
      case "gather": {
        const row = `u32(clamp(${asInteger(this.value(expression.row), expression.row.dtype)}, 0i, ${expression.rows - 1}i))`;
        return this.named(
          this.point.element(expression.tensor, `${row} * ${expression.width}u + ${this.index(expression.access)}`),
        );
      }
      case "guard": {
        // As unsigned numbers what is below 0 is beyond every length.
        const holds = expression.bounds.map(({ access, length }) => `(${this.index(access)} < ${length}u)`);
        const fill = literalText(expression.fill, expression.dtype);
        // With `&&` each would be a branch, around all that lives: software adapters compile minutes at a product of many sums.
        return this.named(`select(${fill}, ${this.value(expression.value)}, ${holds.join(" & ")})`);
      }
      case "apply": {
        const row = elementwiseRow(expression.op);
        if (row === null) throw new Error(`internal: ${expression.op} is not elementwise`);
        const [a = "", b = "", c = ""] = expression.operands.map((operand) => this.value(operand));
        const { dtype } = expression.operands[expression.operands.length - 1] ?? expression;
        return this.named(row.wgsl(a, b, c, dtype));
      }
      default:
        return expression satisfies never;
    }
  }

  private index(access: Access): string {
    return indexText(this.point.index(access));
  }

  private named(text: string): string {
    return nameIn(this, this.prefix, text);
  }
}

/** The name of a value in a scope, which gets a line where it is new there and not a name already. */
export function nameIn({ lines, known }: Scope, prefix: string, text: string): string {
  if (/^[A-Za-z_]\w*$/.test(text)) return text;
  const named = known.get(text);
  if (named !== undefined) return named;
  const name = `${prefix}${known.size}`;
  known.set(text, name);
  lines.push(`let ${name} = ${text};`);
  return name;
}

/**
 * The index that an access gives at the point `flat` of a domain. `axes`: coordinates that are known anyway, outermost
 * first. Of unsigned numbers, so that one below 0 is larger than all others.
 */
export function indexAt(flat: Index, axes: readonly Axis[], access: Access): Index {
  const { offset, last } = access;
  if (isAligned(access)) return access.shape.length === 0 ? 0 : flat;
  if (typeof flat === "number") return elementAt(access, flat);
  const terms = termsAt(flat, axes, access);
  if (terms.length === 0) return elementAt(access, 0);
  const sum = terms.join(" + ") + (offset === 0 ? "" : ` + ${unsigned(offset)}`);
  return last === null ? sum : `min(${sum}, ${last}u)`;
}

/** WGSL of the flat index at a place in a batch of matrices. */
export function flatAt(batch: Axis, rows: Axis, columns: Axis): string {
  const row = batch.length > 1 ? `(${batch.name} * ${rows.length}u + ${rows.name})` : rows.name;
  return `(${row} * ${columns.length}u + ${columns.name})`;
}

/** WGSL of coordinate times stride, for each axis that has one. */
function termsAt(flat: string, axes: readonly Axis[], access: Access): string[] {
  const terms: string[] = [];
  // From the last axis: as long as the access divides the known coordinates, take each from the one that it lies in.
  let left = [...axes];
  let whole = left[left.length - 1]?.length ?? 0;
  let passed = 1;
  let known = left.length > 0;
  let flatPassed = 1;
  for (let axis = access.shape.length - 1; axis >= 0; axis--) {
    const length = access.shape[axis] as number;
    const stride = access.strides[axis] as number;
    while (known && passed === whole && left.length > 1) {
      left = left.slice(0, -1);
      whole = left[left.length - 1]?.length ?? 0;
      passed = 1;
    }
    known &&= whole % (passed * length) === 0;
    const [from, before, isFirst] = known
      ? [left[left.length - 1]?.name ?? flat, passed, passed * length === whole]
      : [flat, flatPassed, axis === 0];
    if (stride !== 0) {
      const divided = before === 1 ? from : `${from} / ${before}u`;
      const coordinate = isFirst ? divided : `${before === 1 ? from : `(${divided})`} % ${length}u`;
      terms.push(stride === 1 ? coordinate : `(${coordinate}) * ${unsigned(stride)}`);
    }
    passed *= length;
    flatPassed *= length;
  }
  return terms.reverse();
}

/** WGSL of a number of 32 bits as unsigned, with which sums and products of negative ones come out right too. */
function unsigned(value: number): string {
  return `${value >>> 0}u`;
}

function asInteger(text: string, dtype: DType): string {
  return dtype === "int32" ? text : `integer(${text})`;
}

export function literalText(value: number, dtype: DType): string {
  if (dtype === "int32") return value < 0 ? `(${value}i)` : `${value}i`;
  const rounded = Math.fround(value);
  if (rounded === Number.NEGATIVE_INFINITY) return "lowest()";
  const text = Object.is(rounded, -0) ? "-0.0f" : `${rounded}f`;
  return text.startsWith("-") ? `(${text})` : text;
}
