import { Bytes, I32, instruction, signed, type Type, unsigned, V128, word } from "./encoder";
import {
  BR_IF,
  END,
  F_ADD,
  F_MADD,
  F_MUL,
  I32_ADD,
  I32_CONST,
  I32_GT_U,
  I32_LT_U,
  I32_MUL,
  I32_SUB,
  IF,
  LOCAL_GET,
  LOCAL_SET,
  LOOP,
  SELECT,
  V_CONST,
  VOID,
} from "./opcodes";

/** A value that a local holds from where it is computed to the end of its scope. */
export interface Value {
  readonly local: number;
  readonly scope: Scope;
  /** All four lanes are equal. */
  readonly uniform: boolean;
}

/** Of work that is dealt out in equal steps, those that one call does: locals with the first, and with the one behind the last. */
export interface Part {
  readonly from: number;
  readonly to: number;
}

/** A function under way: its locals, and the instructions of its outermost scope. */
export class FunctionBody {
  readonly locals: Type[] = [];
  private readonly numbers = { float32: new Map<number, Value>(), int32: new Map<number, Value>() };
  readonly root = new Scope(this, null);

  constructor(
    readonly parameters: number,
    /** Whether the machine has relaxed SIMD: a fused multiply-add above all. */
    readonly relaxed: boolean,
  ) {}

  local(type: Type): number {
    this.locals.push(type);
    return this.parameters + this.locals.length - 1;
  }

  /**
   * The result of one instruction, computed in the innermost scope of its operands, so that nothing is done in a loop that can be
   * done before it, and only once there.
   */
  make(type: Type, code: number, operands: readonly Value[], immediates: readonly number[], uniform: boolean): Value {
    let scope = this.root;
    for (const operand of operands) if (operand.scope.depth > scope.depth) scope = operand.scope;
    const key = `${code};${immediates.join()};${operands.map(({ local }) => local).join()}`;
    const known = scope.known.get(key);
    if (known !== undefined) return known;
    for (const { local } of operands) scope.get(local);
    scope.put(code, ...immediates);
    const made = { local: this.local(type), scope, uniform };
    scope.set(made.local);
    scope.known.set(key, made);
    return made;
  }

  /** A vector instruction without immediates. */
  op(code: number, ...operands: readonly Value[]): Value {
    return this.make(
      V128,
      code,
      operands,
      [],
      operands.every(({ uniform }) => uniform),
    );
  }

  /** An instruction on i32. */
  int(code: number, ...operands: readonly Value[]): Value {
    return this.make(I32, code, operands, [], true);
  }

  /** A vector instruction that takes an i32 from its second operand: a shift. */
  shift(code: number, value: Value, by: number): Value {
    return this.make(V128, code, [value, this.i32(by)], [], value.uniform);
  }

  i32(value: number): Value {
    return this.make(I32, I32_CONST, [], signed(value), true);
  }

  /** The same number four times. */
  float(value: number): Value {
    return this.number(value, "float32");
  }
  integer(value: number): Value {
    return this.number(value, "int32");
  }
  private number(value: number, dtype: "float32" | "int32"): Value {
    const known = Object.is(value, -0) ? undefined : this.numbers[dtype].get(value);
    if (known !== undefined) return known;
    const made = this.lanes([value, value, value, value], dtype);
    if (!Object.is(value, -0)) this.numbers[dtype].set(value, made);
    return made;
  }
  lanes(values: readonly number[], dtype: "float32" | "int32"): Value {
    const bytes = [0, 1, 2, 3].flatMap((lane) => word(values[lane] ?? 0, dtype));
    return this.make(V128, V_CONST, [], bytes, new Set(values).size === 1);
  }

  /** a * b + c. */
  madd(a: Value, b: Value, c: Value): Value {
    return this.relaxed ? this.op(F_MADD, a, b, c) : this.op(F_ADD, this.op(F_MUL, a, b), c);
  }
}

/** The instructions of a function's body, or of a loop in it, that come before what is written next. */
export class Scope {
  readonly bytes = new Bytes();
  readonly known = new Map<string, Value>();
  readonly depth: number;

  constructor(
    readonly body: FunctionBody,
    parent: Scope | null,
  ) {
    this.depth = parent === null ? 0 : parent.depth + 1;
  }

  /** From here on nothing counts as computed: memory may have changed since. */
  forget(): void {
    this.known.clear();
  }

  put(code: number, ...immediates: readonly number[]): this {
    if (code < 0x100) this.bytes.push(code, ...immediates);
    else this.bytes.push(...instruction(code), ...immediates);
    return this;
  }
  get(local: number): this {
    return this.put(LOCAL_GET, ...unsigned(local));
  }
  set(local: number): this {
    return this.put(LOCAL_SET, ...unsigned(local));
  }
  i32(value: number): this {
    return this.put(I32_CONST, ...signed(value));
  }
  /** Loads or stores at the address on the stack plus `offset`, as for numbers of four bytes. */
  memory(code: number, offset: number, ...lane: readonly number[]): this {
    return this.put(code, 2, ...unsigned(offset), ...lane);
  }
  /** local += value. */
  advance(local: number, by: number): this {
    return this.get(local).i32(by).put(I32_ADD).set(local);
  }
  /**
   * Counts from `start` up to below `end` (or below a local), once at least. What the loop's body does not change is computed before it.
   * Given a part, only what is in it is counted, if anything is: steps are counted from 0, and `start` is a whole number of them.
   */
  loop(
    start: number,
    end: number | { readonly local: number },
    step: number,
    inside: (scope: Scope, counter: Value) => void,
    part: Part | null = null,
  ): void {
    const counter = this.body.local(I32);
    const scope = new Scope(this.body, this);
    inside(scope, { local: counter, scope, uniform: true });
    const turns = (end: () => Scope) => {
      this.put(LOOP, VOID).bytes.join(scope.bytes);
      this.advance(counter, step).get(counter);
      end().put(I32_LT_U).put(BR_IF, 0).put(END);
    };
    if (part === null) {
      this.i32(start).set(counter);
      turns(() => (typeof end === "number" ? this.i32(end) : this.get(end.local)));
      return;
    }
    if (typeof end !== "number") throw new Error("internal: a part of a loop whose end is not known");
    const limit = this.body.local(I32);
    this.within(part.from, step, start, I32_GT_U, counter).within(part.to, step, end, I32_LT_U, limit);
    this.get(counter).get(limit).put(I32_LT_U).put(IF, VOID);
    turns(() => this.get(limit));
    this.put(END);
  }
  /** Does what is inside where step `at` is among a part's; always, without a part. */
  only(part: Part | null, at: number, inside: (scope: Scope) => void): void {
    if (part === null) {
      inside(this);
      return;
    }
    // at - from < to - from, of which no difference below 0 is small.
    const [from, to] = [part.from, part.to];
    const condition = (scope: Scope) =>
      scope.i32(at).get(from).put(I32_SUB).get(to).get(from).put(I32_SUB).put(I32_LT_U);
    this.where(condition, inside);
  }
  /** Does what is inside where the number that `condition` leaves is not 0. What does not depend on what is inside is computed anyway. */
  where(condition: (scope: Scope) => void, inside: (scope: Scope) => void): void {
    const scope = new Scope(this.body, this);
    inside(scope);
    condition(this);
    this.put(IF, VOID).bytes.join(scope.bytes);
    this.put(END);
  }
  /** result = value * by, or `edge` where that is not `beyond` it. */
  within(value: number, by: number, edge: number, beyond: number, result: number): this {
    this.get(value).i32(by).put(I32_MUL).set(result);
    this.get(result).i32(edge).get(result).i32(edge).put(beyond).put(SELECT).set(result);
    return this;
  }
}
