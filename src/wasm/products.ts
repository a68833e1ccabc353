import { I32, unsigned, V128 } from "./encoder";
import * as O from "./opcodes";
import { emitPacking, type Product, packs } from "./packing";
import type { FunctionBody, Scope } from "./scope";
import { type Tile, tileFor } from "./tiles";

/** Terms of a sum that one visit to a tile adds up; a panel of as many rows stays in the first cache. */
const BLOCK_K = 256;
/** Rows whose part of the left operand stays in the second cache. */
const BLOCK_M = 120;

export function emitProduct(f: FunctionBody, product: Product): void {
  const { M, N, K, b } = product;
  const tile = tileFor(product, f.relaxed);
  const packed = packs(product);
  const width = tile.vectors * 4;
  if (packed) emitPacking(f, product, width);
  // Columns of a panel follow one another; the next row of it is `step` bytes on, the next panel `next`.
  const panels = packed
    ? { address: product.packed, step: width * 4, next: width * 4 * K }
    : { address: b.address, step: b.rowBytes, next: width * 4 };
  const blocks = Math.ceil(K / BLOCK_K);
  if (blocks > 1)
    f.root
      .i32(product.c)
      .i32(0)
      .i32(M * N * 4)
      .put(O.MEMORY_FILL[0] as number, ...O.MEMORY_FILL.slice(1));
  new ProductEmitter(f, product, tile, panels, blocks).emit(M - (M % tile.rows), N - (N % width));
}

interface Panels {
  readonly address: number;
  readonly step: number;
  readonly next: number;
}

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
  ) {
    [this.a, this.b, this.c, this.inner] = [f.local(I32), f.local(I32), f.local(I32), f.local(I32)];
    this.sums = Array.from({ length: shape.rows * shape.vectors }, () => f.local(V128));
    this.columns = Array.from({ length: shape.vectors }, () => f.local(V128));
    this.row = f.local(V128);
  }

  /** The tiles of the first `wholeRows` rows, and those of the rest. */
  emit(wholeRows: number, wholeColumns: number): void {
    const { M } = this.product;
    const { rows } = this.shape;
    const step = Math.max(1, Math.floor(BLOCK_M / rows)) * rows;
    const far = wholeRows - (wholeRows % step);
    const root = this.f.root;
    if (far > step)
      this.counted(root, 0, far, step, (scope, from) => this.block(scope, from, 0, step, rows, wholeColumns));
    else if (far > 0) this.block(root, null, 0, step, rows, wholeColumns);
    if (wholeRows > far) this.block(root, null, far, wholeRows - far, rows, wholeColumns);
    if (M > wholeRows) this.block(root, null, wholeRows, M - wholeRows, M - wholeRows, wholeColumns);
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
    wholeColumns: number,
  ): void {
    const { N, K } = this.product;
    const { vectors } = this.shape;
    const kBlocks = (scope: Scope, inside: (scope: Scope, k: number | null, at: number, count: number) => void) => {
      const far = K - (K % BLOCK_K);
      if (far > BLOCK_K) this.counted(scope, 0, far, BLOCK_K, (inner, k) => inside(inner, k, 0, BLOCK_K));
      else if (far > 0) inside(scope, null, 0, BLOCK_K);
      if (K > far) inside(scope, null, far, K - far);
    };
    kBlocks(scope, (scope, k, kAt, terms) => {
      const columns = (scope: Scope, column: number | null, columnAt: number, valid: number) => {
        const tile = (scope: Scope, row: number | null, rowAt: number) =>
          this.tile(scope, { from, row, rowAt, k, kAt, terms, column, columnAt, valid, rows });
        if (count > rows) this.counted(scope, 0, count, rows, (inner, row) => tile(inner, row, at));
        else tile(scope, null, at);
      };
      const width = vectors * 4;
      if (wholeColumns > width)
        this.counted(scope, 0, wholeColumns, width, (inner, column) => columns(inner, column, 0, width));
      else if (wholeColumns > 0) columns(scope, null, 0, width);
      if (N > wholeColumns) columns(scope, null, wholeColumns, N - wholeColumns);
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
        if (counter !== null) scope.get(counter).i32(bytes).put(O.I32_MUL).put(O.I32_ADD);
      }
      scope.set(local);
    };
    const rowBytes = product.a.rowBytes;
    const constant = t.rowAt * rowBytes + t.kAt * product.a.columnBytes;
    address(a, product.a.address + constant, [t.from, rowBytes], [t.row, rowBytes], [t.k, product.a.columnBytes]);
    const panel = panels.address + t.kAt * panels.step + (t.columnAt / width) * panels.next;
    address(b, panel, [t.k, panels.step], [t.column, panels.next / width]);
    const into = product.c + (t.rowAt * product.N + t.columnAt) * 4;
    address(c, into, [t.from, product.N * 4], [t.row, product.N * 4], [t.column, 4]);

    for (let i = 0; i < t.rows * vectors; i++)
      scope.put(O.V_CONST, ...new Array<number>(16).fill(0)).set(sums[i] as number);
    this.sum(scope, t.terms, t.rows, vectors);
    for (let row = 0; row < t.rows; row++) {
      for (let v = 0; v < vectors; v++) {
        const sum = sums[row * vectors + v] as number;
        const offset = (row * product.N + v * 4) * 4;
        // A sum of several blocks is added to what the blocks before have left; reading too far does no harm.
        if (blocks > 1) scope.get(sum).get(c).memory(O.V_LOAD, offset).put(O.F_ADD).set(sum);
        const lanes = Math.min(4, t.valid - v * 4);
        if (lanes === 4) scope.get(c).get(sum).memory(O.V_STORE, offset);
        else
          for (let lane = 0; lane < lanes; lane++)
            scope
              .get(c)
              .get(sum)
              .memory(O.V_STORE32_LANE, offset + lane * 4, lane);
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
        .memory(O.V_LOAD, v * 16)
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
