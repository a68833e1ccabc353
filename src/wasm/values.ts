import { bytesOf } from "../graph/ops";
import type { Tensor } from "../graph/tensor";
import { type Access, type Bound, rangeOf } from "../graph/view";
import type { Expression } from "../plan/expression";
import { apply, comparison, type LongFunctions, where } from "./arithmetic";
import type { Axes, Site } from "./domain";
import { I32, unsigned, V128 } from "./encoder";
import { LANE_BYTES, VECTOR_BYTES } from "./lane";
import * as O from "./opcodes";
import type { FunctionBody, Scope, Value } from "./scope";

/** Where a site's lanes read: four places off one address, or an address for each lane. Bytes from a buffer's start. */
type Places =
  | { readonly base: Value | null; readonly offsets: readonly number[] }
  | { readonly apart: readonly Value[] };

/** The domain that expressions speak of. */
export interface Frame {
  readonly axes: Axes;
  /** An access in terms of the axes, where the expressions' domain is only a part of theirs. */
  through(access: Access): Access | null;
  /** Strides of the domain's own order. */
  readonly flat: readonly number[];
}

/** Computes expressions at the points of one site. */
export class Values {
  private readonly known = new Map<Expression, Value>();

  constructor(
    private readonly f: FunctionBody,
    private readonly frame: Frame,
    private readonly site: Site,
    private readonly memory: {
      addressOf(tensor: Tensor): number;
      readonly sizeBytes: number;
      readonly more: LongFunctions | null;
    },
    private readonly own: (tensor: Tensor) => Value | undefined,
  ) {}

  value(expression: Expression): Value {
    const known = this.known.get(expression);
    if (known !== undefined) return known;
    const made = this.write(expression);
    this.known.set(expression, made);
    return made;
  }

  private write(expression: Expression): Value {
    const { f } = this;
    switch (expression.kind) {
      case "literal":
        return expression.dtype === "int32" ? f.integer(expression.value) : f.float(expression.value);
      case "own": {
        const value = this.own(expression.tensor);
        if (value === undefined) throw new Error(`internal: ${expression.tensor.op} is read before it is computed`);
        return value;
      }
      case "position":
        return this.positionAt(expression.access);
      case "load":
        return this.loadAt(this.memory.addressOf(expression.tensor), expression.access);
      case "guard": {
        let holds: Value | null = null;
        for (const bound of expression.bounds) {
          const known = this.inside(bound);
          if (known === false) return this.value({ kind: "literal", dtype: expression.dtype, value: expression.fill });
          if (known === true) continue;
          const { access, length } = bound;
          const at = this.positionAt(access);
          const inside = f.op(O.V_AND, f.op(O.I_GE, at, f.integer(0)), f.op(O.I_LT, at, f.integer(length)));
          holds = holds === null ? inside : f.op(O.V_AND, holds, inside);
        }
        if (holds === null) return this.value(expression.value);
        const fill = expression.dtype === "int32" ? f.integer(expression.fill) : f.float(expression.fill);
        return f.op(O.V_BITSELECT, this.value(expression.value), fill, holds);
      }
      case "gather": {
        const { row, rows, width, access, tensor } = expression;
        const index = row.dtype === "int32" ? this.value(row) : f.op(O.TRUNCATE, this.value(row));
        const held = f.op(O.I_MIN, f.op(O.I_MAX, index, f.integer(0)), f.integer(rows - 1));
        return this.load(
          this.memory.addressOf(tensor),
          this.moved(this.within(access), held, width * bytesOf(tensor.dtype)),
        );
      }
      case "apply": {
        const { op, operands } = expression;
        const [a, b] = operands as readonly [Expression, Expression?];
        if (op === "mask" && b?.kind === "apply" && b.operands[1]) {
          const [left, right] = b.operands as readonly [Expression, Expression];
          const condition = comparison(f, b.op, left.dtype, this.value(left), this.value(right));
          if (condition !== null) return where(f, condition, this.value(a));
        }
        return apply(
          f,
          op,
          (operands[operands.length - 1] as Expression).dtype,
          operands.map((operand) => this.value(operand)),
          this.memory.more,
        );
      }
      default:
        return expression satisfies never;
    }
  }

  /** Leaves a value in memory at the site's own points, of a domain with these strides. */
  store(scope: Scope, address: number, value: Value, strides: readonly number[] = this.frame.flat): void {
    const places = this.joint(strides);
    if ("apart" in places) throw new Error("internal: a store of lanes that are apart");
    const push = () => (places.base === null ? scope.i32(0) : scope.get(places.base.local)).get(value.local);
    const { offsets } = places;
    if (this.site.valid === 4 && isRow(offsets)) push().memory(O.V_STORE, address + (offsets[0] as number));
    else
      offsets.forEach((offset, lane) => {
        push().memory(O.V_STORE32_LANE, address + offset, lane);
      });
  }

  /**
   * Adds to what memory holds at a stride along each axis and each lane's `row`; one lane after another where they do not lie side by side.
   * What is there is read where this is written, not before the loop.
   */
  addTo(
    scope: Scope,
    address: number,
    strides: readonly number[],
    { row, rowBytes }: { row: Value; rowBytes: number },
    value: Value,
  ): void {
    const places = this.moved(this.joint(strides), row, rowBytes);
    const add = (base: Value, offset: number, load: number, store: number, ...lane: number[]) =>
      scope
        .get(base.local)
        .get(base.local)
        .memory(load, address + offset)
        .get(value.local)
        .put(O.F_ADD)
        .memory(store, address + offset, ...lane);
    if ("base" in places && places.base !== null && this.site.valid === 4 && isRow(places.offsets)) {
      add(places.base, places.offsets[0] as number, O.V_LOAD, O.V_STORE);
      return;
    }
    for (let lane = 0; lane < this.site.valid; lane++) {
      const base = "apart" in places ? places.apart[lane] : places.base;
      const offset = "apart" in places ? 0 : (places.offsets[lane] as number);
      add(base ?? this.f.i32(0), offset, O.V_LOAD32_SPLAT, O.V_STORE32_LANE, lane);
    }
  }

  /** A number for each lane in use, at a stride along each axis: loads of one buffer. */
  at(address: number, strides: readonly number[]): Value {
    return this.load(address, this.joint(strides));
  }

  /** The number that strides along the axes count up to, in int32. */
  index(strides: readonly number[]): Value {
    return this.position(this.joint(strides));
  }

  /** sum + a * b; a * b where there is no sum yet. */
  dot(sum: Value | null, a: Value, b: Value): Value {
    return sum === null ? this.f.op(O.F_MUL, a, b) : this.f.madd(a, b, sum);
  }

  private places(access: Access): Places {
    const seen = this.frame.through(access);
    const strides = seen && this.frame.axes.strides(seen);
    if (strides !== null) return this.joint(strides, access.offset);
    const { f } = this;
    const own = this.joint(this.frame.flat);
    const flats =
      "apart" in own
        ? own.apart
        : own.offsets.map((offset) => (own.base === null ? f.i32(offset) : f.int(O.I32_ADD, own.base, f.i32(offset))));
    // No single stride along an axis: the place is worked out from each lane's flat index.
    const apart = flats.map((bytes) => {
      const flat = f.int(O.I32_SHR_U, bytes, f.i32(2));
      let sum = f.i32(LANE_BYTES * access.offset);
      let passed = 1;
      for (let axis = access.shape.length - 1; axis >= 0; axis--) {
        const length = access.shape[axis] as number;
        const stride = access.strides[axis] as number;
        const coordinate = f.int(O.I32_REM_U, f.int(O.I32_DIV_U, flat, f.i32(passed)), f.i32(length));
        if (stride !== 0) sum = f.int(O.I32_ADD, sum, f.int(O.I32_MUL, coordinate, f.i32(LANE_BYTES * stride)));
        passed *= length;
      }
      return sum;
    });
    return { apart };
  }

  private joint(strides: readonly number[], first = 0): Places {
    const { f, site } = this;
    const terms: Value[] = [];
    const far: Value[][] = [];
    const offsets = new Array<number>(site.valid).fill(LANE_BYTES * first);
    const scaled = (value: Value, stride: number) => (stride === 1 ? value : f.int(O.I32_MUL, value, f.i32(stride)));
    site.coordinates.forEach(({ counter, lanes, apart }, axis) => {
      const stride = strides[axis] ?? 0;
      if (stride === 0) return;
      if (apart !== undefined) {
        far.push(apart.map((value) => scaled(value, stride)));
        return;
      }
      if (counter !== null) terms.push(scaled(counter, stride));
      for (let lane = 0; lane < site.valid; lane++) {
        offsets[lane] =
          (offsets[lane] as number) + LANE_BYTES * stride * ((lanes.length === 1 ? lanes[0] : lanes[lane]) as number);
      }
    });
    // Outer loops first, so that their part of the sum is done there.
    terms.sort((a, b) => a.scope.depth - b.scope.depth);
    const base = terms.reduce<Value | null>((sum, term) => (sum === null ? term : f.int(O.I32_ADD, sum, term)), null);
    if (far.length > 0) {
      return {
        apart: offsets.map((offset, lane) => {
          const sum = far.reduce((sum, values) => f.int(O.I32_ADD, sum, values[lane] as Value), f.i32(offset));
          return base === null ? sum : f.int(O.I32_ADD, sum, base);
        }),
      };
    }
    return { base, offsets };
  }

  /** What memory holds at an access. One that leads outside of its array may read what lies beside it, which a guard leaves out. */
  private loadAt(address: number, access: Access): Value {
    const { f, memory } = this;
    const [least, most] = this.rangeOf(access) ?? rangeOf(access);
    if (address + LANE_BYTES * least < 0 || address + LANE_BYTES * most + VECTOR_BYTES > memory.sizeBytes)
      return this.load(address, this.within(access));
    if (!countsBelow0(access)) return this.load(address, this.places(access));
    // An instruction adds its own offset to a base that must not be below 0.
    const places = this.places(access);
    const from = (base: Value, bytes: number) => f.int(O.I32_ADD, base, f.i32(bytes));
    if ("apart" in places) return this.load(0, { apart: places.apart.map((base) => from(base, address)) });
    if (places.base === null) return this.load(address, places);
    const first = Math.min(...places.offsets);
    return this.load(0, {
      base: from(places.base, address + first),
      offsets: places.offsets.map((offset) => offset - first),
    });
  }

  /** Whether a coordinate is within its bound at all points of the site, wherever its loops are; null where that is not known or differs. */
  private inside({ access, length }: Bound): boolean | null {
    const range = this.rangeOf(access);
    if (range === null) return null;
    const [least, most] = range;
    if (least >= 0 && most < length) return true;
    return most < 0 || least >= length ? false : null;
  }

  /** The least and the largest that an access gives at the points of the site, wherever its loops are; null where that is not known. */
  private rangeOf(access: Access): readonly [number, number] | null {
    const seen = this.frame.through(access);
    const strides = seen && this.frame.axes.strides(seen);
    if (strides === null) return null;
    let [least, most] = [access.offset, access.offset];
    for (const [axis, { counter, lanes, apart, range }] of this.site.coordinates.entries()) {
      const stride = strides[axis] ?? 0;
      if (stride === 0) continue;
      if (apart !== undefined || (counter !== null && range === undefined)) return null;
      const [from, to] = counter === null ? [0, 0] : (range as readonly [number, number]);
      const ends = [from + Math.min(...lanes), to + Math.max(...lanes)].map((at) => at * stride);
      least += Math.min(...ends);
      most += Math.max(...ends);
    }
    return [least, most];
  }

  /** The places of an access, held to its array where it leads outside. */
  private within(access: Access): Places {
    const places = this.places(access);
    if (access.last === null) return places;
    const { f } = this;
    const held = f.op(O.I_MIN, f.op(O.I_MAX, this.positionAt(access), f.integer(0)), f.integer(access.last));
    const bytes = (lane: number) => f.int(O.I32_MUL, f.make(I32, O.I_EXTRACT, [held], [lane], true), f.i32(LANE_BYTES));
    return { apart: Array.from({ length: this.site.valid }, (_, lane) => bytes(lane)) };
  }

  /** The same places, `bytes` times a lane's `row` further on. */
  private moved(places: Places, row: Value, bytes: number): Places {
    const { f } = this;
    const further = (lane: number) => f.int(O.I32_MUL, f.make(I32, O.I_EXTRACT, [row], [lane], true), f.i32(bytes));
    const plus = (base: Value | null, more: Value) => (base === null ? more : f.int(O.I32_ADD, base, more));
    if ("apart" in places) {
      return { apart: places.apart.map((address, lane) => plus(address, further(row.uniform ? 0 : lane))) };
    }
    if (row.uniform) return { base: plus(places.base, further(0)), offsets: places.offsets };
    return {
      apart: places.offsets.map((offset, lane) => plus(plus(places.base, further(lane)), f.i32(offset))),
    };
  }

  private load(address: number, places: Places): Value {
    const { f } = this;
    const read = (code: number, operands: readonly Value[], offset: number, uniform: boolean, ...lane: number[]) =>
      f.make(V128, code, operands, [2, ...unsigned(address + offset), ...lane], uniform);
    const lanes = (from: (lane: number) => { base: Value; offset: number }, count: number) => {
      const first = from(0);
      let value = read(O.V_LOAD32_ZERO, [first.base], first.offset, false);
      for (let lane = 1; lane < count; lane++) {
        const { base, offset } = from(lane);
        value = read(O.V_LOAD32_LANE, [base, value], offset, false, lane);
      }
      return value;
    };
    if ("apart" in places) {
      return lanes((lane) => ({ base: places.apart[lane] as Value, offset: 0 }), places.apart.length);
    }
    const { offsets } = places;
    const base = places.base ?? f.i32(0);
    const first = offsets[0] as number;
    if (offsets.every((offset) => offset === first)) return read(O.V_LOAD32_SPLAT, [base], first, true);
    // Lanes that are not in use may read beyond what is theirs: memory ends later than the last buffer.
    if (isRow(offsets)) return read(O.V_LOAD, [base], first, false);
    return lanes((lane) => ({ base, offset: offsets[lane] as number }), offsets.length);
  }

  private positionAt(access: Access): Value {
    return this.position(this.places(access), countsBelow0(access) ? O.I32_SHR : O.I32_SHR_U);
  }

  private position(places: Places, shift: number = O.I32_SHR_U): Value {
    const { f } = this;
    const index = (bytes: Value) => f.make(V128, O.I_SPLAT, [f.int(shift, bytes, f.i32(2))], [], true);
    if ("apart" in places) {
      return places.apart.reduce(
        (value, bytes, lane) => f.make(V128, O.I_REPLACE, [value, f.int(shift, bytes, f.i32(2))], [lane], false),
        f.integer(0),
      );
    }
    const { base, offsets } = places;
    const lanes = f.lanes(spreadLanes(offsets.map((offset) => offset / LANE_BYTES)), "int32");
    return base === null ? lanes : f.op(O.I_ADD, index(base), lanes);
  }
}

/** Whether what loops count of an access may begin below 0. */
function countsBelow0({ strides, offset }: Access): boolean {
  return offset < 0 || strides.some((stride) => stride < 0);
}

/** What all lanes in use have in common, all four have. */
function spreadLanes(values: readonly number[]): number[] {
  return [0, 1, 2, 3].map((lane) => (values[lane] ?? values[0]) as number);
}

function isRow(offsets: readonly number[]): boolean {
  return offsets.every((offset, lane) => offset === (offsets[0] as number) + LANE_BYTES * lane);
}
