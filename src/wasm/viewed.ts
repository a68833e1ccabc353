import { accessesOf, type Expression, walk } from "../plan/expression";
import { type ContractionGroup, productOf } from "../plan/group";
import { sizeOf } from "../util/shape";
import { Axes, type Coordinate, overScalars, overVectors, type Site, vectorsDealt } from "./domain";
import { I32 } from "./encoder";
import { copyNs } from "./grain";
import { FLAT, type Kernel } from "./kernel";
import { LANE_BYTES, VECTOR_BYTES } from "./lane";
import * as O from "./opcodes";
import type { Copied, Viewed } from "./products";
import type { FunctionBody, Scope, Value } from "./scope";
import { wholeBytes } from "./tiles";
import type { Frame } from "./values";

/** A contraction's operands that are read through views; `left` and `packed` are the addresses of their copies. */
export function viewedOf(kernel: Kernel, group: ContractionGroup, left: number, packed: number): Viewed {
  const { a, b, batch, M, N, K } = productOf(group);
  const right = b.kind === "view" ? new Reader(kernel, b.expression, batch, K, N) : null;
  const small = wholeBytes({ K, N }) !== null;
  return {
    a: a.kind === "view" ? copies(new Reader(kernel, a.expression, batch, M, K), left) : null,
    b: right && {
      whole: small && (right.parts[2].at(-1) ?? 1) >= MIN_RUN ? runs(right, packed) : null,
      ...panels(right, packed),
    },
  };
}

/** Columns in one piece from which on a copy of whole rows is written. */
const MIN_RUN = 8;
/** Rows whose places are written out rather than counted: then it is known which of their elements lie in the padding. */
const MAX_WRITTEN = 9;

/**
 * A copy [rows, columns] in pieces of neighbouring columns, by whole vectors, each piece from where the one before ends: what a vector has
 * too much is written over by the next piece, or lies behind the last.
 */
function runs(reader: Reader, packed: number): Copied {
  const { kernel, frame, parts } = reader;
  const [batches, rows, columns] = parts;
  const lead = columns.slice(0, -1);
  const length = columns.at(-1) as number;
  let written = 1;
  const pieces = [...rows].reverse().map((length) => {
    if (written * length > MAX_WRITTEN) return [[0, length] as const];
    written *= length;
    return Array.from({ length }, (_, i) => [i, i + 1] as const);
  });
  const counted = [...pieces.reverse(), ...lead.map((length) => [[0, length] as const])];
  const strides = [...batches.map(() => 0), ...frame.flat.slice(batches.length), 1];
  return {
    varies: reader.varies,
    // What a vector has too much would be written over what another thread has written.
    parts: 1,
    ns: 0,
    copy(outer, batch, own) {
      const before = partsOf(kernel.f, batch, batches);
      overScalars(
        outer,
        [...rows, ...lead],
        (scope, around) => {
          for (let at = 0; at < length; at += 4) {
            // Beyond the piece only what lies side by side is read.
            const valid = reader.near ? 4 : Math.min(4, length - at);
            const lanes = Array.from({ length: valid }, (_, lane) => at + lane);
            const values = reader.values([...before, ...around, { counter: null, lanes }, ownPlace(own)], valid);
            values.store(scope, packed, values.value(reader.expression), strides);
          }
        },
        counted,
      );
    },
  };
}

/** An operand [batch, rows, columns] whose axes are cut so that memory is read at one stride along each, as far as that goes. */
class Reader {
  readonly frame: Frame;
  /** Lengths of the parts of the batch, of rows and of columns. */
  readonly parts: readonly [number[], number[], number[]] = [[], [], []];
  readonly varies: boolean;
  /** Whether neighbouring columns are neighbours in memory, or the same element. */
  readonly near: boolean;

  constructor(
    readonly kernel: Kernel,
    readonly expression: Expression,
    batch: number,
    rows: number,
    columns: number,
  ) {
    const axes = new Axes([batch, rows, columns]);
    const accesses: Parameters<Axes["admit"]>[0][] = [];
    walk([expression], (part) => accesses.push(...accessesOf(part)));
    for (const access of accesses) axes.admit(access);
    const flat = axes.strides(FLAT(batch * rows * columns)) as number[];
    this.frame = { axes, through: (access) => access, flat };
    const { lengths, parts } = axes;
    lengths.forEach((length, i) => {
      (this.parts[parts[i] as 0 | 1 | 2] as number[]).push(length);
    });
    this.near = accesses.every((access) => [0, 1].includes(axes.strides(access)?.at(-1) ?? -1));
    this.varies = accesses.some((access) => {
      const strides = axes.strides(access);
      return strides === null || strides.slice(0, this.parts[0].length).some((stride) => stride !== 0);
    });
  }

  values(coordinates: readonly Coordinate[], valid: number) {
    return this.kernel.values(this.frame, { coordinates, valid }, () => undefined);
  }
}

function copies(reader: Reader, left: number): Copied {
  const { kernel, frame, parts } = reader;
  const [batches, rows, columns] = parts;
  // A copy has no batch.
  const strides = [...frame.flat.map((stride, axis) => (axis < batches.length ? 0 : stride)), 1];
  const lengths = [...rows, ...columns];
  const deal = vectorsDealt(lengths);
  return {
    varies: reader.varies,
    parts: deal.parts,
    ns: copyNs(sizeOf(lengths)),
    copy(outer, batch, own, part) {
      const before = partsOf(kernel.f, batch, batches);
      const visit = (scope: Scope, sites: readonly Site[]) => {
        for (const { coordinates, valid } of sites) {
          const values = reader.values([...before, ...coordinates, ownPlace(own)], valid);
          values.store(scope, left, values.value(reader.expression), strides);
        }
      };
      overVectors(outer, lengths, visit, 1, [], part && { ...part, ...deal });
    },
  };
}

function panels(reader: Reader, packed: number): Omit<NonNullable<Viewed["b"]>, "whole"> {
  const { kernel } = reader;
  const [batches, rows, columns] = reader.parts;
  const [outermost = 1, ...inner] = rows;
  return {
    parts: outermost,
    ns: copyNs(sizeOf(rows) * MIN_RUN),
    pack({ scope, column, at, valid, width }, batch, own, part) {
      const { f } = kernel;
      const before = partsOf(f, batch, batches);
      const vectors = Array.from({ length: Math.ceil(valid / 4) }, (_, v) => {
        const lanes = Math.min(4, valid - 4 * v);
        return { lanes, coordinates: columnsOf(f, column, at + 4 * v, lanes, columns) };
      });
      const to = f.local(I32);
      scope.i32(packed).set(to);
      if (own !== null) scope.get(to).get(own.local).put(O.I32_ADD).set(to);
      const outermostBytes = sizeOf(inner) * width * LANE_BYTES;
      if (part !== null) scope.get(to).get(part.from).i32(outermostBytes).put(O.I32_MUL).put(O.I32_ADD).set(to);
      const visit = (inner: Scope, row: readonly Coordinate[]) => {
        vectors.forEach(({ lanes, coordinates }, v) => {
          const value = reader.values([...before, ...row, ...coordinates], lanes).value(reader.expression);
          inner
            .get(to)
            .get(value.local)
            .memory(O.V_STORE, VECTOR_BYTES * v);
        });
        inner.advance(to, width * LANE_BYTES);
      };
      overScalars(scope, rows, visit, [], part && { ...part, axis: 0, parts: outermost });
    },
  };
}

/** Behind all axes: how far on a thread's own copy begins. */
function ownPlace(own: Value | null): Coordinate {
  return { counter: own, lanes: [0] };
}

/** Where a place, counted in elements, is along each part of an axis. */
function partsOf(f: FunctionBody, place: Value | null, lengths: readonly number[]): Coordinate[] {
  if (place === null) return lengths.map(() => ({ counter: null, lanes: [0] }));
  return bytesAlong(f, place, lengths).map((counter) => ({ counter, lanes: [0] }));
}

/** The same for lanes of neighbouring columns from `at` on, plus `column`. */
function columnsOf(
  f: FunctionBody,
  column: Value | null,
  at: number,
  lanes: number,
  lengths: readonly number[],
): Coordinate[] {
  const places = (lane: number) => (column === null ? f.i32(at + lane) : f.int(O.I32_ADD, column, f.i32(at + lane)));
  const last = lengths[lengths.length - 1] ?? 1;
  // Panels begin with whole vectors: where these divide a row, all lanes are in the same one.
  if (lengths.length <= 1 || last % 4 === 0) {
    const first = bytesAlong(f, places(0), lengths);
    return first.map((counter, i) => ({
      counter,
      lanes: i < lengths.length - 1 ? [0] : Array.from({ length: lanes }, (_, lane) => lane),
    }));
  }
  const each = Array.from({ length: lanes }, (_, lane) => bytesAlong(f, places(lane), lengths));
  return lengths.map((_, i) => ({ counter: null, lanes: [0], apart: each.map((along) => along[i] as Value) }));
}

function bytesAlong(f: FunctionBody, place: Value, lengths: readonly number[]): Value[] {
  let passed = 1;
  return [...lengths]
    .reverse()
    .map((length, i) => {
      const divided = passed === 1 ? place : f.int(O.I32_DIV_U, place, f.i32(passed));
      const within = i === lengths.length - 1 ? divided : f.int(O.I32_REM_U, divided, f.i32(length));
      passed *= length;
      return f.int(O.I32_MUL, within, f.i32(LANE_BYTES));
    })
    .reverse();
}
