import { type Access, canonical } from "../graph/view";
import type { Scope, Value } from "./scope";

/** Where along one axis the lanes of a vector are: a counter in bytes of float32 (or none), plus a number for each lane in use. */
export interface Coordinate {
  readonly counter: Value | null;
  /** For each lane; one number where all are at the same place. */
  readonly lanes: readonly number[];
  /** Instead of both, a counter for each lane. */
  readonly apart?: readonly Value[];
}

/** Up to four points of a domain that one vector computes. */
export interface Site {
  readonly coordinates: readonly Coordinate[];
  /** Lanes in use, the first ones. */
  readonly valid: number;
}

/** Vectors that an iteration of a loop computes at most where points are few in a row. */
const MAX_PERIOD = 7;
/** From this length on a row has its own loop, however it divides by four. */
const LONG_ROW = 32;

/** Stands at `at` all along an axis. */
export function fixed(at: number): Coordinate {
  return { counter: null, lanes: [at] };
}

/** Visits every point of a domain with these axes once, four at a time as far as they go; a visit's sites share their loop. */
export function overVectors(
  scope: Scope,
  lengths: readonly number[],
  visit: (scope: Scope, sites: readonly Site[]) => void,
  unroll = 1,
): void {
  const last = lengths.length - 1;
  const length = lengths[last] ?? 1;
  const rows = lengths[last - 1];
  const period = multipleOf4(length) / 4;
  const grouped = rows !== undefined && length % 4 !== 0 && length < LONG_ROW && period <= MAX_PERIOD;
  overScalars(scope, lengths.slice(0, grouped ? -2 : -1), (scope, outer) => {
    const site = (...inner: readonly Coordinate[]): Site => ({
      coordinates: [...outer, ...inner],
      valid: Math.max(1, ...inner.map(({ lanes }) => lanes.length)),
    });
    if (grouped) {
      // Rows that fill whole vectors together.
      const step = (4 * period) / length;
      const sites = (counter: Value | null, from: number, count: number) =>
        vectors(0, count * length).map((flat) =>
          site(
            { counter, lanes: flat.map((i) => from + Math.floor(i / length)) },
            { counter: null, lanes: flat.map((i) => i % length) },
          ),
        );
      const whole = Math.floor(rows / step) * step;
      if (whole > step) scope.loop(0, 4 * whole, 4 * step, (scope, counter) => visit(scope, sites(counter, 0, step)));
      else if (whole > 0) visit(scope, sites(null, 0, whole));
      if (rows > whole) visit(scope, sites(null, whole, rows - whole));
      return;
    }
    const sites = (counter: Value | null, from: number, to: number) =>
      vectors(from, to).map((lanes) => (lengths.length === 0 ? site() : site({ counter, lanes })));
    const step = 4 * unroll;
    const whole = Math.floor(length / step) * step;
    if (whole > step) scope.loop(0, 4 * whole, 4 * step, (scope, counter) => visit(scope, sites(counter, 0, step)));
    else if (whole > 0) visit(scope, sites(null, 0, whole));
    if (length > whole) visit(scope, sites(null, whole, length));
  });
}

/** Visits every point once, one at a time. */
export function overScalars(
  scope: Scope,
  lengths: readonly number[],
  visit: (scope: Scope, coordinates: readonly Coordinate[]) => void,
): void {
  const go = (scope: Scope, axis: number, before: readonly Coordinate[]): void => {
    const length = lengths[axis];
    if (length === undefined) visit(scope, before);
    else if (length === 1) go(scope, axis + 1, [...before, fixed(0)]);
    else scope.loop(0, 4 * length, 4, (inner, counter) => go(inner, axis + 1, [...before, { counter, lanes: [0] }]));
  };
  go(scope, 0, []);
}

/** Every point of a small domain, without a loop. */
export function unrolled(lengths: readonly number[]): Coordinate[][] {
  return lengths.reduce<Coordinate[][]>(
    (points, length) => points.flatMap((point) => Array.from({ length }, (_, i) => [...point, fixed(i)])),
    [[]],
  );
}

function vectors(from: number, to: number): number[][] {
  const groups: number[][] = [];
  for (let at = from; at < to; at += 4) groups.push(Array.from({ length: Math.min(4, to - at) }, (_, i) => at + i));
  return groups;
}

function multipleOf4(length: number): number {
  return length % 4 === 0 ? length : length % 2 === 0 ? length * 2 : length * 4;
}

/** A domain cut into axes such that accesses to it have one stride an axis. */
export class Axes {
  /** How many points lie behind one step along each axis, innermost first; and the whole size. */
  private readonly marks: number[];

  constructor(private readonly required: readonly number[]) {
    this.marks = behind(required);
  }

  /** Cuts axes where an access of the whole domain needs it; an access that does not fit with the others changes nothing. */
  admit(access: Access): void {
    const joint = [...new Set([...this.marks, ...behind(access.shape)])].sort((a, b) => a - b);
    if (joint.every((mark, i) => i === 0 || mark % (joint[i - 1] as number) === 0))
      this.marks.splice(0, this.marks.length, ...joint);
  }

  /** Lengths, outermost first. */
  get lengths(): number[] {
    return this.marks
      .slice(1)
      .map((mark, i) => mark / (this.marks[i] as number))
      .reverse();
  }

  /** For each axis, which of the required ones it is a part of. */
  get parts(): number[] {
    return this.marks
      .slice(0, -1)
      .map((mark) => {
        let part = this.required.length;
        for (let passed = 1; passed <= mark; ) passed *= this.required[--part] as number;
        return part;
      })
      .reverse();
  }

  /** The access's stride along each axis; null where it has no single one. */
  strides(access: Pick<Access, "shape" | "strides">): number[] | null {
    const bounds = behind(access.shape);
    if (bounds.some((bound) => !this.marks.includes(bound))) return null;
    return this.marks
      .slice(0, -1)
      .map((mark) => {
        let axis = access.shape.length - 1;
        let passed = 1;
        while (axis >= 0 && passed * (access.shape[axis] as number) <= mark) passed *= access.shape[axis--] as number;
        return axis < 0 ? 0 : (access.strides[axis] as number) * (mark / passed);
      })
      .reverse();
  }
}

/** 1, the last length, the product of the last two, …; each once. */
function behind(shape: readonly number[]): number[] {
  const marks = [1];
  for (const length of [...shape].reverse()) {
    const mark = (marks[marks.length - 1] as number) * length;
    if (length !== 1) marks.push(mark);
  }
  return marks;
}

/** An access to rows [outer, inner] as one to [outer, length, inner]; null where it has no stride of its own on either side. */
export function alongRows(access: Access, outer: number, length: number, inner: number): Access | null {
  const rows = new Axes([outer, inner]);
  rows.admit(access);
  const strides = rows.strides(access);
  if (strides === null) return null;
  const parts = rows.parts;
  const shape = [...rows.lengths];
  const cut = parts.filter((part) => part === 0).length;
  shape.splice(cut, 0, length);
  strides.splice(cut, 0, 0);
  return { ...canonical(shape, strides, access.offset), last: access.last };
}
