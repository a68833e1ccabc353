import { type Access, type Bound, canonical } from "../graph/view";
import { LANE_BYTES } from "./lane";
import type { Part, Scope, Value } from "./scope";

/** Where along one axis the lanes of a vector are: a counter in bytes of float32 (or none), plus a number for each lane in use. */
export interface Coordinate {
  readonly counter: Value | null;
  /** For each lane; one number where all are at the same place. */
  readonly lanes: readonly number[];
  /** Instead of both, a counter for each lane. */
  readonly apart?: readonly Value[];
  /** The least and the most elements that the counter counts to, where that is known. */
  readonly range?: readonly [number, number];
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
/** Loops that one is cut into at most; and the shortest piece of a row that is worth vectors of its own. */
const MAX_PIECES = 9;
const MIN_PIECE = 16;

/** Stands at `at` all along an axis. */
export function fixed(at: number): Coordinate {
  return { counter: null, lanes: [at] };
}

/** Places along each axis at which loops are cut in two, so that on either side it is known what a guard makes of it. */
export type Cuts = readonly (readonly number[])[];

/** Along which axis a domain is dealt out, and into how many parts. */
export interface Deal {
  readonly axis: number;
  readonly parts: number;
}

/** The outermost axis of which there is this much is dealt out. */
const MANY_PARTS = 32;

/** How the points that `overVectors` visits are dealt out. */
export function vectorsDealt(lengths: readonly number[], unroll = 1): Deal {
  const { length, period, grouped } = rowsOf(lengths);
  const parts = [...lengths];
  if (grouped) parts.splice(-2, 2, Math.ceil((parts.at(-2) as number) / ((4 * period) / length)));
  else parts.splice(-1, 1, Math.ceil(length / (4 * unroll)));
  return dealt(parts);
}

/** How the points that `overScalars` visits are dealt out. */
export function scalarsDealt(lengths: readonly number[]): Deal {
  return dealt(lengths);
}

function dealt(parts: readonly number[]): Deal {
  const many = parts.findIndex((count) => count >= MANY_PARTS);
  const axis = many >= 0 ? many : Math.max(0, parts.indexOf(Math.max(...parts)));
  return { axis, parts: parts[axis] ?? 1 };
}

/** The last axis, and whether rows of it fill whole vectors together. */
function rowsOf(lengths: readonly number[]) {
  const last = lengths.length - 1;
  const length = lengths[last] ?? 1;
  const rows = lengths[last - 1];
  const period = multipleOf4(length) / 4;
  const grouped = rows !== undefined && length % 4 !== 0 && length < LONG_ROW && period <= MAX_PERIOD;
  return { last, length, rows: rows ?? 1, period, grouped };
}

/**
 * Visits every point of a domain with these axes once, four at a time as far as they go; a visit's sites share their loop. Given a part,
 * the points that are in it.
 */
export function overVectors(
  scope: Scope,
  lengths: readonly number[],
  visit: (scope: Scope, sites: readonly Site[]) => void,
  unroll = 1,
  cuts: Cuts = [],
  part: (Part & Deal) | null = null,
): void {
  const { last, length, rows, period, grouped } = rowsOf(lengths);
  const lead = lengths.slice(0, grouped ? -2 : -1);
  const own = part?.axis === lead.length ? part : null;
  // Parts of a row are counted from its beginning.
  const pieces = piecesOf(lengths, own ? cuts.slice(0, lead.length) : cuts, grouped);
  const visitRow = (scope: Scope, outer: readonly Coordinate[]) => {
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
      if (whole > step)
        scope.loop(
          0,
          LANE_BYTES * whole,
          LANE_BYTES * step,
          (scope, counter) => visit(scope, sites(counter, 0, step)),
          own,
        );
      else if (whole > 0) scope.only(own, 0, (scope) => visit(scope, sites(null, 0, whole)));
      if (rows > whole) scope.only(own, whole / step, (scope) => visit(scope, sites(null, whole, rows - whole)));
      return;
    }
    const sites = (counter: Value | null, from: number, to: number, range?: readonly [number, number]) =>
      vectors(from, to).map((lanes) =>
        lengths.length === 0 ? site() : site({ counter, lanes, ...(range && { range }) }),
      );
    const step = 4 * unroll;
    for (const [from, to] of pieces[last] ?? [[0, length]]) {
      const whole = from + Math.floor((to - from) / step) * step;
      if (whole > from + step) {
        const visitStep = (scope: Scope, counter: Value) => visit(scope, sites(counter, 0, step, [from, whole - step]));
        scope.loop(LANE_BYTES * from, LANE_BYTES * whole, LANE_BYTES * step, visitStep, own);
      } else if (whole > from) scope.only(own, 0, (scope) => visit(scope, sites(null, from, whole)));
      if (to > whole) scope.only(own, whole / step, (scope) => visit(scope, sites(null, whole, to)));
    }
  };
  overScalars(scope, lead, visitRow, pieces, own ? null : part);
}

/** Each axis as pieces [from, to), the loops of all being few. */
function piecesOf(lengths: readonly number[], cuts: Cuts, grouped: boolean): (readonly [number, number])[][] {
  let loops = 1;
  return lengths.map((length, axis) => {
    const whole = [[0, length] as const];
    const within = [...new Set(cuts[axis] ?? [])].filter((at) => at > 0 && at < length).sort((a, b) => a - b);
    const ends = [0, ...within, length];
    const pieces = ends.slice(1).map((to, i) => [ends[i] as number, to] as const);
    const isLast = axis >= lengths.length - (grouped ? 2 : 1);
    if (isLast && (grouped || pieces.some(([from, to]) => to - from < MIN_PIECE))) return whole;
    if (loops * pieces.length > MAX_PIECES) return whole;
    loops *= pieces.length;
    return pieces;
  });
}

/** Visits every point once, one at a time; given a part, the points that are in it. */
export function overScalars(
  scope: Scope,
  lengths: readonly number[],
  visit: (scope: Scope, coordinates: readonly Coordinate[]) => void,
  pieces: readonly (readonly (readonly [number, number])[])[] = [],
  part: (Part & Deal) | null = null,
): void {
  const go = (scope: Scope, axis: number, before: readonly Coordinate[]): void => {
    const length = lengths[axis];
    if (length === undefined) {
      visit(scope, before);
      return;
    }
    const own = part?.axis === axis ? part : null;
    for (const [from, to] of pieces[axis] ?? [[0, length]]) {
      const at = (inner: Scope, coordinate: Coordinate) => go(inner, axis + 1, [...before, coordinate]);
      const inLoop = (inner: Scope, counter: Value) => at(inner, { counter, lanes: [0], range: [from, to - 1] });
      if (to === from + 1) scope.only(own, from, (inner) => at(inner, fixed(from)));
      else scope.loop(LANE_BYTES * from, LANE_BYTES * to, LANE_BYTES, inLoop, own);
    }
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

/** Where along each axis it changes whether a coordinate is at least 0 and below its length, as far as it depends on one axis alone. */
export function cutsOf(axes: Axes, bounds: readonly Bound[]): Cuts {
  const { lengths } = axes;
  const cuts: number[][] = lengths.map(() => []);
  for (const { access, length } of bounds) {
    const strides = axes.strides(access);
    const along = strides?.flatMap((stride, axis) => (stride !== 0 ? [axis] : [])) ?? [];
    const [axis] = along;
    if (strides === null || axis === undefined || along.length > 1) continue;
    const stride = strides[axis] as number;
    for (const edge of [0, length]) {
      const at = (edge - access.offset) / stride;
      cuts[axis]?.push(stride > 0 ? Math.ceil(at) : Math.floor(at) + 1);
    }
  }
  return cuts;
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
