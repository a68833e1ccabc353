import { I32, V128 } from "./encoder";
import { LANE_BYTES, VECTOR_BYTES } from "./lane";
import * as O from "./opcodes";
import type { FunctionBody, Part, Scope, Value } from "./scope";

/** An operand in memory: element (row, column) of the product `i` of a batch lies at `i * batchBytes + row * rowBytes + column * columnBytes`. */
export interface Matrix {
  readonly address: number;
  readonly batchBytes: number;
  readonly rowBytes: number;
  readonly columnBytes: number;
}

/** c [batch, M, N] = a [batch, M, K] b [batch, K, N], c row-major. */
export interface Product {
  readonly batch: number;
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly a: Matrix;
  readonly b: Matrix;
  readonly c: number;
  /** Room for `packedBytes`, where the right operand is copied into panels. */
  readonly packed: number;
}

/** Whether columns are copied so that a tile's columns lie in one piece for all of K. */
export function packs(product: Product): boolean {
  const { M, N, b } = product;
  if (b.columnBytes !== LANE_BYTES) return true;
  return M >= 32 && N >= 192;
}

/**
 * Copies b [K, N] of a product of the batch into panels of `width` columns, each row of a panel in one piece, with garbage where columns are
 * missing; given a part, the panels that are in it. `own`: bytes from `packed` to this thread's panels.
 */
export function emitPacking(
  f: FunctionBody,
  { N, K, b, packed }: Product,
  width: number,
  outer: Scope,
  batch: number | null,
  own: number | null,
  part: Part | null,
): void {
  const panel = (scope: Scope, column: Value | null, at: number, valid: number) => {
    const from = f.local(I32);
    const to = f.local(I32);
    const start = (base: number, bytes: number, local: number) => {
      scope.i32(base + at * bytes);
      if (column !== null) scope.get(column.local).i32(bytes).put(O.I32_MUL).put(O.I32_ADD);
      scope.set(local);
    };
    start(b.address, b.columnBytes, from);
    if (batch !== null) scope.get(from).get(batch).i32(b.batchBytes).put(O.I32_MUL).put(O.I32_ADD).set(from);
    start(packed, K * LANE_BYTES, to);
    if (own !== null) scope.get(to).get(own).put(O.I32_ADD).set(to);
    const vectors = Math.ceil(valid / 4);
    const straight = (scope: Scope, rows: number) => {
      for (let row = 0; row < rows; row++) {
        for (let v = 0; v < vectors; v++) {
          scope.get(to).get(from);
          if (b.columnBytes === LANE_BYTES) scope.memory(O.V_LOAD, row * b.rowBytes + v * VECTOR_BYTES);
          else {
            scope.memory(O.V_LOAD32_ZERO, row * b.rowBytes + 4 * v * b.columnBytes);
            const lane = f.local(V128);
            scope.set(lane);
            for (let l = 1; l < Math.min(4, valid - 4 * v); l++) {
              scope
                .get(from)
                .get(lane)
                .memory(O.V_LOAD32_LANE, row * b.rowBytes + (4 * v + l) * b.columnBytes, l)
                .set(lane);
            }
            scope.get(lane);
          }
          scope.memory(O.V_STORE, row * width * LANE_BYTES + v * VECTOR_BYTES);
        }
      }
      scope.advance(from, rows * b.rowBytes).advance(to, rows * width * LANE_BYTES);
    };
    const transposed = (scope: Scope) => {
      // Four rows of four columns at a time: memory holds columns.
      for (let v = 0; v < vectors; v++) {
        const columns = [0, 1, 2, 3].map((l) => {
          const local = f.local(V128);
          const column = Math.min(4 * v + l, valid - 1);
          scope
            .get(from)
            .memory(O.V_LOAD, column * b.columnBytes)
            .set(local);
          return local;
        });
        transpose4(f, scope, columns as [number, number, number, number]).forEach((local, row) => {
          scope
            .get(to)
            .get(local)
            .memory(O.V_STORE, row * width * LANE_BYTES + v * VECTOR_BYTES);
        });
      }
      scope.advance(from, VECTOR_BYTES).advance(to, width * VECTOR_BYTES);
    };
    const quick = b.columnBytes !== LANE_BYTES && b.rowBytes === LANE_BYTES;
    const group = quick ? 4 : 1;
    const whole = K - (K % group);
    const body = (scope: Scope) => (quick ? transposed(scope) : straight(scope, 1));
    if (whole > group) scope.loop(0, whole, group, body);
    else if (whole > 0) body(scope);
    if (K > whole) straight(scope, K - whole);
  };
  overPanels(outer, N, width, panel, part);
}

/** Visits columns by panels: `valid` of them from `at` on, plus `column`; given a part, the panels that are in it. */
export function overPanels(
  outer: Scope,
  N: number,
  width: number,
  panel: (scope: Scope, column: Value | null, at: number, valid: number) => void,
  part: Part | null,
): void {
  const whole = N - (N % width);
  if (whole > width) outer.loop(0, whole, width, (scope, column) => panel(scope, column, 0, width), part);
  else if (whole > 0) outer.only(part, 0, (scope) => panel(scope, null, 0, width));
  if (N > whole) outer.only(part, whole / width, (scope) => panel(scope, null, whole, N - whole));
}

function transpose4(
  f: FunctionBody,
  scope: Scope,
  [a, b, c, d]: readonly [number, number, number, number],
): readonly number[] {
  const words = (...order: number[]) => order.flatMap((word) => [0, 1, 2, 3].map((byte) => 4 * word + byte));
  const shuffled = (x: number, y: number, order: readonly number[]) => {
    const local = f.local(V128);
    scope
      .get(x)
      .get(y)
      .put(O.V_SHUFFLE, ...order)
      .set(local);
    return local;
  };
  const [low, high] = [words(0, 4, 1, 5), words(2, 6, 3, 7)];
  const [ab, ab2, cd, cd2] = [shuffled(a, b, low), shuffled(a, b, high), shuffled(c, d, low), shuffled(c, d, high)];
  const [first, second] = [words(0, 1, 4, 5), words(2, 3, 6, 7)];
  return [shuffled(ab, cd, first), shuffled(ab, cd, second), shuffled(ab2, cd2, first), shuffled(ab2, cd2, second)];
}
