import type { ReductionOp } from "../graph/ops";
import { V128 } from "./encoder";
import { narrowed, shuffle, widened } from "./halves";
import * as O from "./opcodes";
import type { FunctionBody, Scope, Value } from "./scope";

/** Sums of more terms than this are kept in float64, two vectors for four lanes. */
const MAX_FLOAT32 = 64;

const HALVES_SWAPPED = [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7];
const NEIGHBOURS_SWAPPED = [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11];
const FIRST = [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3];

/** A reduction under way: it takes values inside a loop, and gives its result behind it. */
export interface Total {
  add(scope: Scope, value: Value, index: Value | null): void;
  /** Lane by lane. */
  lanes(): Value;
  /** Over all lanes. */
  whole(): Value;
}

/** The instruction that makes one of two, and what it starts from; null for what gives an index. `long`: many are taken in float64. */
const ROWS: Record<ReductionOp, { readonly code: number | null; readonly start: number; readonly long?: true }> = {
  sum: { code: O.F_ADD, start: 0, long: true },
  max: { code: O.F_MAX, start: Number.NEGATIVE_INFINITY },
  prod: { code: O.F_MUL, start: 1 },
  argmax: { code: null, start: Number.NEGATIVE_INFINITY },
};

/** Begins in `scope`; `count` terms come to each lane at most. */
export function total(scope: Scope, op: ReductionOp, count: number): Total {
  const row = ROWS[op];
  if (row.code === null) return new Argmax(scope);
  return row.long && count > MAX_FLOAT32 ? new LongSum(scope) : new Simple(scope, row.code, row.start);
}

/** What lanes beyond the first `valid` must hold to leave a reduction as it is. */
export function neutral(f: FunctionBody, op: ReductionOp, value: Value, valid: number): Value {
  if (valid === 4) return value;
  const used = f.lanes(
    [0, 1, 2, 3].map((lane) => (lane < valid ? -1 : 0)),
    "int32",
  );
  return f.op(O.V_BITSELECT, value, f.float(ROWS[op].start), used);
}

function variable(scope: Scope, start: Value): Value {
  const local = scope.body.local(V128);
  scope.get(start.local).set(local);
  return { local, scope, uniform: false };
}

/** One operation over all lanes, in every lane. */
function across(f: FunctionBody, code: number, value: Value): Value {
  const pairs = f.op(code, value, shuffle(f, value, value, HALVES_SWAPPED));
  return { ...f.op(code, pairs, shuffle(f, pairs, pairs, NEIGHBOURS_SWAPPED)), uniform: true };
}

class Simple implements Total {
  private readonly sum: Value;
  constructor(
    scope: Scope,
    private readonly code: number,
    start: number,
  ) {
    this.sum = variable(scope, scope.body.float(start));
  }
  add(scope: Scope, value: Value): void {
    scope.get(this.sum.local).get(value.local).put(this.code).set(this.sum.local);
  }
  lanes(): Value {
    return this.sum;
  }
  whole(): Value {
    return across(this.sum.scope.body, this.code, this.sum);
  }
}

class LongSum implements Total {
  private readonly low: Value;
  private readonly high: Value;
  private readonly f: FunctionBody;
  constructor(scope: Scope) {
    this.f = scope.body;
    this.low = variable(scope, this.f.float(0));
    this.high = variable(scope, this.f.float(0));
  }
  add(scope: Scope, value: Value): void {
    const { f, low, high } = this;
    const [lower, upper] = widened(f, value);
    scope.get(low.local).get(lower.local).put(O.D_ADD).set(low.local);
    scope.get(high.local).get(upper.local).put(O.D_ADD).set(high.local);
  }
  lanes(): Value {
    const { f, low, high } = this;
    return narrowed(f, low, high);
  }
  whole(): Value {
    const { f, low, high } = this;
    const pair = f.op(O.D_ADD, low, high);
    const sum = f.op(O.D_DEMOTE, f.op(O.D_ADD, pair, shuffle(f, pair, pair, HALVES_SWAPPED)));
    return shuffle(f, sum, sum, FIRST, true);
  }
}

/** The first index of the largest, or of the first NaN: of equal ones the earlier stays. */
class Argmax implements Total {
  private readonly largest: Value;
  private readonly at: Value;
  private readonly f: FunctionBody;
  constructor(scope: Scope) {
    this.f = scope.body;
    this.largest = variable(scope, this.f.float(Number.NEGATIVE_INFINITY));
    this.at = variable(scope, this.f.integer(0));
  }
  add(scope: Scope, value: Value, index: Value | null): void {
    if (index === null) throw new Error("internal: argmax without an index");
    const { largest, at } = this;
    const greater = scope.body.local(V128);
    const differs = (one: Value, other: Value, code: number) => scope.get(one.local).get(other.local).put(code);
    differs(value, value, O.F_NE);
    differs(largest, largest, O.F_EQ).put(O.V_AND);
    differs(value, largest, O.F_GT).put(O.V_OR).set(greater);
    for (const [next, kept] of [
      [value, largest],
      [index, at],
    ] as const) {
      scope.get(next.local).get(kept.local).get(greater).put(O.V_BITSELECT).set(kept.local);
    }
  }
  lanes(): Value {
    return this.at;
  }
  whole(): Value {
    const { f, largest, at } = this;
    const highest = f.op(O.V_OR, f.op(O.F_EQ, largest, across(f, O.F_MAX, largest)), f.op(O.F_NE, largest, largest));
    return across(f, O.I_MIN, f.op(O.V_BITSELECT, at, f.integer(2 ** 31 - 1), highest));
  }
}
