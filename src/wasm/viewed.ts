import { accessesOf, type Expression, walk } from "../plan/expression";
import { type ContractionGroup, productOf } from "../plan/group";
import { Axes, type Coordinate, overScalars, overVectors } from "./domain";
import { I32 } from "./encoder";
import { FLAT, type Kernel } from "./kernel";
import * as O from "./opcodes";
import type { Viewed } from "./products";
import type { FunctionBody, Value } from "./scope";
import type { Frame } from "./values";

/** A contraction's operands that are read through views; `left` and `packed` are the addresses of their copies. */
export function viewedOf(kernel: Kernel, group: ContractionGroup, left: number, packed: number): Viewed {
  const { a, b, batch, M, N, K } = productOf(group);
  return {
    a: a.kind === "view" ? copies(new Reader(kernel, a.expression, batch, M, K), left) : null,
    b: b.kind === "view" ? panels(new Reader(kernel, b.expression, batch, K, N), packed) : null,
  };
}

/** An operand [batch, rows, columns] whose axes are cut so that memory is read at one stride along each, as far as that goes. */
class Reader {
  readonly frame: Frame;
  /** Lengths of the parts of the batch, of rows and of columns. */
  readonly parts: readonly [number[], number[], number[]] = [[], [], []];
  readonly varies: boolean;

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
    this.varies = accesses.some((access) => {
      const strides = axes.strides(access);
      return strides === null || strides.slice(0, this.parts[0].length).some((stride) => stride !== 0);
    });
  }

  values(coordinates: readonly Coordinate[], valid: number) {
    return this.kernel.values(this.frame, { coordinates, valid }, () => undefined);
  }
}

function copies(reader: Reader, left: number): Viewed["a"] {
  const { kernel, frame, parts } = reader;
  const [batches, rows, columns] = parts;
  // A copy has no batch.
  const strides = frame.flat.map((stride, axis) => (axis < batches.length ? 0 : stride));
  return {
    varies: reader.varies,
    copy(outer, batch) {
      const before = partsOf(kernel.f, batch, batches);
      overVectors(outer, [...rows, ...columns], (scope, sites) => {
        for (const { coordinates, valid } of sites) {
          const values = reader.values([...before, ...coordinates], valid);
          values.store(scope, left, values.value(reader.expression), strides);
        }
      });
    },
  };
}

function panels(reader: Reader, packed: number): Viewed["b"] {
  const { f } = reader.kernel;
  const [batches, rows, columns] = reader.parts;
  return {
    pack(scope, batch, column, at, valid, width) {
      const before = partsOf(f, batch, batches);
      const vectors = Array.from({ length: Math.ceil(valid / 4) }, (_, v) => {
        const lanes = Math.min(4, valid - 4 * v);
        return { lanes, coordinates: columnsOf(f, column, at + 4 * v, lanes, columns) };
      });
      const to = f.local(I32);
      scope.i32(packed).set(to);
      overScalars(scope, rows, (inner, row) => {
        vectors.forEach(({ lanes, coordinates }, v) => {
          const value = reader.values([...before, ...row, ...coordinates], lanes).value(reader.expression);
          inner
            .get(to)
            .get(value.local)
            .memory(O.V_STORE, 16 * v);
        });
        inner.advance(to, width * 4);
      });
    },
  };
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
      return f.int(O.I32_MUL, within, f.i32(4));
    })
    .reverse();
}
