import { I32, unsigned, V128 } from "./encoder";
import { LANE_BYTES, VECTOR_BYTES } from "./lane";
import * as O from "./opcodes";
import { emitPacking, type Product, packs } from "./packing";
import type { FunctionBody, Scope, Value } from "./scope";
import { type Tile, tileFor } from "./tiles";

/** Terms of a sum that one visit to a tile adds up; a panel of as many rows stays in the first cache. */
const BLOCK_K = 256;
/** Rows whose part of the left operand stays in the second cache. */
const BLOCK_M = 120;

/** An operand's copy in memory, row by row. `varies`: whether it is another matrix for each product of the batch. */
export interface Copied {
  readonly varies: boolean;
  copy(scope: Scope, batch: Value | null): void;
}

/** Operands that are read through a view: a left one is copied for each product of the batch, a right one too, or panel by panel. */
export interface Viewed {
  readonly a: Copied | null;
  readonly b: {
    /** The copy of all of it, where it is small and its rows come in pieces of some length. */
    readonly whole: Copied | null;
    /** Copies `valid` columns from `at` on, plus `column`, to `packed`, `width` numbers a row. */
    pack(scope: Scope, batch: Value | null, column: Value | null, at: number, valid: number, width: number): void;
  } | null;
}

export function emitProduct(f: FunctionBody, product: Product, viewed: Viewed): void {
  const { batch, M, N, K, b } = product;
  const tile = tileFor(product, f.relaxed);
  const whole = viewed.b?.whole ?? null;
  const packed = viewed.b === null && packs(product);
  const width = tile.vectors * 4;
  const blocks = Math.ceil(K / BLOCK_K);
  if (blocks > 1)
    f.root
      .i32(product.c)
      .i32(0)
      .i32(batch * M * N * LANE_BYTES)
      .put(O.MEMORY_FILL[0] as number, ...O.MEMORY_FILL.slice(1));
  const once = (varies: boolean) => batch === 1 || !varies;
  const before: ((scope: Scope, at: Value | null) => void)[] = [];
  const prepare = (varies: boolean, write: (scope: Scope, at: Value | null) => void) => {
    if (once(varies)) write(f.root, null);
    else before.push(write);
  };
  if (packed) prepare(b.batchBytes !== 0, (scope, at) => emitPacking(f, product, width, scope, at?.local ?? null));
  for (const copied of [viewed.a, whole]) if (copied) prepare(copied.varies, (scope, at) => copied.copy(scope, at));
  const panels = panelsOf(product, width, packed, viewed.b !== null, whole !== null);
  const one = (scope: Scope, at: Value | null) => {
    for (const write of before) write(scope, at);
    new ProductEmitter(f, product, tile, panels, blocks, at).emit(scope, whole === null ? viewed.b : null);
  };
  if (batch === 1) one(f.root, null);
  else f.root.loop(0, batch, 1, one);
}

/** Columns of a panel follow one another; the next row of it is `step` bytes on, the next panel `next`. */
function panelsOf(
  { packed: address, K, N, b }: Product,
  width: number,
  packed: boolean,
  viewed: boolean,
  whole: boolean,
): Panels {
  if (packed) return { address, step: width * LANE_BYTES, next: width * LANE_BYTES * K, batchBytes: 0 };
  if (whole) return { address, step: N * LANE_BYTES, next: width * LANE_BYTES, batchBytes: 0 };
  if (viewed) return { address, step: width * LANE_BYTES, next: 0, batchBytes: 0 };
  return { address: b.address, step: b.rowBytes, next: width * LANE_BYTES, batchBytes: b.batchBytes };
}

interface Panels {
  readonly address: number;
  readonly step: number;
  readonly next: number;
  readonly batchBytes: number;
}

/** Visits columns: `valid` of them from `at` on, plus `column`, a local. */
type OverColumns = (
  scope: Scope,
  visit: (scope: Scope, column: number | null, at: number, valid: number) => void,
) => void;

class ProductEmitter {
  private readonly a: number;
  private readonly b: number;
  private readonly c: number;
  private readonly inner: number;
  private readonly sums: readonly number[];
  private readonly columns: readonly number[];
  private readonly row: number;

  constructor(
    private readonly f: FunctionBody,
    private readonly product: Product,
    private readonly shape: Tile,
    private readonly panels: Panels,
    private readonly blocks: number,
    private readonly batch: Value | null,
  ) {
    [this.a, this.b, this.c, this.inner] = [f.local(I32), f.local(I32), f.local(I32), f.local(I32)];
    this.sums = Array.from({ length: shape.rows * shape.vectors }, () => f.local(V128));
    this.columns = Array.from({ length: shape.vectors }, () => f.local(V128));
    this.row = f.local(V128);
  }

  emit(outer: Scope, view: Viewed["b"]): void {
    const { N } = this.product;
    const width = this.shape.vectors * 4;
    const whole = N - (N % width);
    if (view === null) {
      this.rowBlocks(outer, (scope, visit) => {
        if (whole > width) this.counted(scope, 0, whole, width, (inner, column) => visit(inner, column, 0, width));
        else if (whole > 0) visit(scope, null, 0, width);
        if (N > whole) visit(scope, null, whole, N - whole);
      });
      return;
    }
    // A panel at a time, and all rows by it.
    const panel = (scope: Scope, column: Value | null, at: number, valid: number) => {
      view.pack(scope, this.batch, column, at, valid, width);
      this.rowBlocks(scope, (inner, visit) => visit(inner, column?.local ?? null, at, valid));
    };
    if (whole > width) outer.loop(0, whole, width, (scope, column) => panel(scope, column, 0, width));
    else if (whole > 0) panel(outer, null, 0, width);
    if (N > whole) panel(outer, null, whole, N - whole);
  }

  /** The tiles of the first rows, and those of the rest. */
  private rowBlocks(root: Scope, columns: OverColumns): void {
    const { M } = this.product;
    const { rows } = this.shape;
    const wholeRows = M - (M % rows);
    const step = Math.max(1, Math.floor(BLOCK_M / rows)) * rows;
    const far = wholeRows - (wholeRows % step);
    if (far > step) this.counted(root, 0, far, step, (scope, from) => this.block(scope, from, 0, step, rows, columns));
    else if (far > 0) this.block(root, null, 0, step, rows, columns);
    if (wholeRows > far) this.block(root, null, far, wholeRows - far, rows, columns);
    if (M > wholeRows) this.block(root, null, wholeRows, M - wholeRows, M - wholeRows, columns);
  }

  private counted(
    scope: Scope,
    from: number,
    to: number,
    step: number,
    inside: (scope: Scope, counter: number) => void,
  ): void {
    scope.loop(from, to, step, (inner, counter) => inside(inner, counter.local));
  }

  /** `count` rows from `at` (plus `from`, a local) by all columns, tiles of `rows` rows. */
  private block(
    scope: Scope,
    from: number | null,
    at: number,
    count: number,
    rows: number,
    overColumns: OverColumns,
  ): void {
    const { K } = this.product;
    const kBlocks = (scope: Scope, inside: (scope: Scope, k: number | null, at: number, count: number) => void) => {
      const far = K - (K % BLOCK_K);
      if (far > BLOCK_K) this.counted(scope, 0, far, BLOCK_K, (inner, k) => inside(inner, k, 0, BLOCK_K));
      else if (far > 0) inside(scope, null, 0, BLOCK_K);
      if (K > far) inside(scope, null, far, K - far);
    };
    kBlocks(scope, (scope, k, kAt, terms) => {
      overColumns(scope, (scope, column, columnAt, valid) => {
        const tile = (scope: Scope, row: number | null, rowAt: number) =>
          this.tile(scope, { from, row, rowAt, k, kAt, terms, column, columnAt, valid, rows });
        if (count > rows) this.counted(scope, 0, count, rows, (inner, row) => tile(inner, row, at));
        else tile(scope, null, at);
      });
    });
  }

  private tile(
    scope: Scope,
    t: {
      from: number | null;
      row: number | null;
      rowAt: number;
      k: number | null;
      kAt: number;
      terms: number;
      column: number | null;
      columnAt: number;
      valid: number;
      rows: number;
    },
  ): void {
    const { a, b, c, product, panels, sums, blocks } = this;
    const width = this.shape.vectors * 4;
    const vectors = Math.ceil(t.valid / 4);
    const address = (local: number, constant: number, ...terms: (readonly [number | null, number])[]) => {
      scope.i32(constant);
      for (const [counter, bytes] of terms) {
        if (counter !== null && bytes !== 0) scope.get(counter).i32(bytes).put(O.I32_MUL).put(O.I32_ADD);
      }
      scope.set(local);
    };
    const rowBytes = product.a.rowBytes;
    const batch = this.batch?.local ?? null;
    const { batchBytes } = product.a;
    const constant = t.rowAt * rowBytes + t.kAt * product.a.columnBytes;
    const along = [t.k, product.a.columnBytes] as const;
    address(a, product.a.address + constant, [batch, batchBytes], [t.from, rowBytes], [t.row, rowBytes], along);
    const panel = panels.address + t.kAt * panels.step + (t.columnAt / width) * panels.next;
    address(b, panel, [batch, panels.batchBytes], [t.k, panels.step], [t.column, panels.next / width]);
    const into = product.c + (t.rowAt * product.N + t.columnAt) * LANE_BYTES;
    const rowBytesC = product.N * LANE_BYTES;
    const matrix = [batch, product.M * rowBytesC] as const;
    address(c, into, matrix, [t.from, rowBytesC], [t.row, rowBytesC], [t.column, LANE_BYTES]);

    for (let i = 0; i < t.rows * vectors; i++)
      scope.put(O.V_CONST, ...new Array<number>(16).fill(0)).set(sums[i] as number);
    this.sum(scope, t.terms, t.rows, vectors);
    for (let row = 0; row < t.rows; row++) {
      for (let v = 0; v < vectors; v++) {
        const sum = sums[row * vectors + v] as number;
        const offset = row * rowBytesC + v * VECTOR_BYTES;
        // A sum of several blocks is added to what the blocks before have left; reading too far does no harm.
        if (blocks > 1) scope.get(sum).get(c).memory(O.V_LOAD, offset).put(O.F_ADD).set(sum);
        const lanes = Math.min(4, t.valid - v * 4);
        if (lanes === 4) scope.get(c).get(sum).memory(O.V_STORE, offset);
        else
          for (let lane = 0; lane < lanes; lane++)
            scope
              .get(c)
              .get(sum)
              .memory(O.V_STORE32_LANE, offset + lane * LANE_BYTES, lane);
      }
    }
  }

  /** Adds `terms` outer products of a column of a and a row of b to the tile's sums. */
  private sum(scope: Scope, terms: number, rows: number, vectors: number): void {
    const { a, b, sums, columns, row, f, product, panels, inner } = this;
    const { rowBytes, columnBytes } = product.a;
    // Not unrolled: compilers would move all loads of several terms before the sums, and run out of registers.
    scope.i32(terms).set(inner).put(O.LOOP, O.VOID);
    for (let v = 0; v < vectors; v++)
      scope
        .get(b)
        .memory(O.V_LOAD, v * VECTOR_BYTES)
        .set(columns[v] as number);
    for (let i = 0; i < rows; i++) {
      scope
        .get(a)
        .memory(O.V_LOAD32_SPLAT, i * rowBytes)
        .set(row);
      for (let v = 0; v < vectors; v++) {
        const sum = sums[i * vectors + v] as number;
        if (f.relaxed)
          scope
            .get(row)
            .get(columns[v] as number)
            .get(sum)
            .put(O.F_MADD)
            .set(sum);
        else
          scope
            .get(sum)
            .get(row)
            .get(columns[v] as number)
            .put(O.F_MUL)
            .put(O.F_ADD)
            .set(sum);
      }
    }
    scope.advance(a, columnBytes).advance(b, panels.step);
    scope
      .get(inner)
      .i32(1)
      .put(O.I32_SUB)
      .put(O.TEE, ...unsigned(inner))
      .put(O.BR_IF, 0)
      .put(O.END);
  }
}
