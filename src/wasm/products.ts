import { I32, unsigned, V128 } from "./encoder";
import { copyNs, productNs } from "./grain";
import { LANE_BYTES, VECTOR_BYTES } from "./lane";
import * as O from "./opcodes";
import { emitPacking, overPanels, type Product, packs } from "./packing";
import type { Pieces } from "./pieces";
import type { FunctionBody, Part, Scope, Value } from "./scope";
import { ownBytes, packedBytes, type Tile, tileFor } from "./tiles";

/** Terms of a sum that one visit to a tile adds up; a panel of as many rows stays in the first cache. */
const BLOCK_K = 256;
const BLOCK_M = 120;

/** An operand's copy in memory, row by row. `varies`: whether it is another matrix for each product of the batch. */
export interface Copied {
  readonly varies: boolean;
  /** Of how many parts it is, and how much work. */
  readonly parts: number;
  readonly ns: number;
  /** `own`: bytes to this thread's copy. */
  copy(scope: Scope, batch: Value | null, own: Value | null, part: Part | null): void;
}

/** Operands that are read through a view: a left one is copied for each product of the batch, a right one too, or panel by panel. */
export interface Viewed {
  readonly a: Copied | null;
  readonly b: {
    /** The copy of all of it, where it is small and its rows come in pieces of some length. */
    readonly whole: Copied | null;
    /** Copies `valid` columns from `at` on, plus `column`, to `packed`, `width` numbers a row. Of how many parts a panel is, and how much work. */
    readonly parts: number;
    readonly ns: number;
    pack(panel: Panel, batch: Value | null, own: Value | null, part: Part | null): void;
  } | null;
}

/** Columns of a right operand that is read through a view. */
export interface Panel {
  readonly scope: Scope;
  readonly column: Value | null;
  readonly at: number;
  readonly valid: number;
  readonly width: number;
}

/** Panels that are copied one after another, each by all threads; of more, each thread copies its own. */
const FEW_PANELS = 3;
/** From this many parts on a product is dealt out by its rows; else by its columns, where these are more. */
const MANY_ROWS = 16;

/**
 * c = a b, by pieces: copies of operands, then the product itself. Dealt out are the products of a batch; of one its rows, or its columns
 * where rows are few: an element's sum is always of the same terms in the same order.
 */
export function emitProduct(pieces: Pieces, product: Product, viewed: Viewed): void {
  const { batch, M, N, K } = product;
  const tile = tileFor(product, pieces.relaxed);
  const width = tile.vectors * 4;
  const panelCount = Math.ceil(N / width);
  const rowCount = Math.ceil(M / tile.rows);
  const ns = productNs(batch * M * N * K);
  const { a } = viewed;
  const whole = viewed.b?.whole ?? null;
  const packed = viewed.b === null && packs(product) ? packing(pieces, product, width) : null;
  const right = whole === null ? viewed.b : null;
  const operands = [packed, a, whole].filter((copied) => copied !== null);
  const panels = panelsOf(product, width, packed !== null, viewed.b !== null, whole !== null);

  // What is another matrix for each product of the batch is copied before each; the rest once.
  const isEach = (copied: Copied | null) => batch > 1 && copied?.varies === true;
  for (const copied of operands) {
    const { parts, ns, varies } = copied;
    if (batch === 1 || !varies) pieces.piece(parts, ns, (part) => copied.copy(pieces.f.root, null, null, part));
  }
  const leftOwn = () => pieces.own(ownBytes(M * K * LANE_BYTES));
  const rightOwn = () => pieces.own(ownBytes(packedBytes(product, pieces.relaxed, viewed.b !== null)));
  const emitter = (at: Value | null, own: Own) => new ProductEmitter(pieces.f, product, tile, panels, at, own);
  /** c begins as zeros where a sum is of several blocks: the units, of so many bytes, that a part has of it. */
  const clear = (part: Part | null, unitBytes: number) => {
    if (K > BLOCK_K) emitZeros(pieces.f, product.c, batch * M * N * LANE_BYTES, unitBytes, part);
  };
  const clearAll = () => {
    if (K > BLOCK_K) pieces.piece(1, 0, () => clear(null, 0));
  };

  if (batch > 1) {
    pieces.piece(batch, ns, (part) => {
      clear(part, M * N * 4);
      const own: Own = {
        left: isEach(a) ? leftOwn() : null,
        right: right !== null || isEach(whole ?? packed) ? rightOwn() : null,
      };
      const one = (scope: Scope, at: Value) => {
        for (const copied of operands) {
          if (isEach(copied)) copied.copy(scope, at, copied === a ? own.left : own.right, null);
        }
        if (right === null) emitter(at, own).byRows(scope, null);
        else emitter(at, own).byPanels(scope, right, null);
      };
      pieces.f.root.loop(0, batch, 1, one, part);
    });
  } else if (right !== null && (panelCount > FEW_PANELS || !pieces.dealt)) {
    clearAll();
    pieces.piece(panelCount, ns + right.ns * panelCount, (part) => {
      emitter(null, { left: null, right: rightOwn() }).byPanels(pieces.f.root, right, part);
    });
  } else if (right !== null) {
    clearAll();
    for (let at = 0; at < N; at += width) {
      const valid = Math.min(width, N - at);
      pieces.piece(right.parts, right.ns, (part) =>
        right.pack({ scope: pieces.f.root, column: null, at, valid, width }, null, null, part),
      );
      const panel: OverColumns = (scope, visit) => visit(scope, null, at, valid);
      const rows = (part: Part | null) => emitter(null, ALONE).rows(pieces.f.root, panel, part);
      pieces.piece(rowCount, productNs(M * valid * K), rows, rowsOfBlock(tile) / tile.rows);
    }
  } else if (rowCount >= MANY_ROWS || rowCount >= panelCount) {
    const rows = (part: Part | null) => {
      clear(part, tile.rows * N * LANE_BYTES);
      emitter(null, ALONE).byRows(pieces.f.root, part);
    };
    pieces.piece(rowCount, ns, rows, rowsOfBlock(tile) / tile.rows);
  } else {
    clearAll();
    pieces.piece(panelCount, ns, (part) => emitter(null, ALONE).byColumns(pieces.f.root, part));
  }
}

/** Bytes to a thread's own copies of the operands. */
interface Own {
  readonly left: Value | null;
  readonly right: Value | null;
}
const ALONE: Own = { left: null, right: null };

/** The copy of a right operand in memory by panels. */
function packing(pieces: Pieces, product: Product, width: number): Copied {
  const { N, K, b } = product;
  return {
    varies: b.batchBytes !== 0,
    parts: Math.ceil(N / width),
    ns: copyNs(K * N),
    copy: (scope, batch, own, part) =>
      emitPacking(pieces.f, product, width, scope, batch?.local ?? null, own?.local ?? null, part),
  };
}

/** Zeros from an address on: `sizeBytes` of them, or what a part has of these. */
function emitZeros(f: FunctionBody, address: number, sizeBytes: number, unitBytes: number, part: Part | null): void {
  const { root } = f;
  if (part === null) root.i32(address).i32(0).i32(sizeBytes);
  else {
    const [from, to] = [f.local(I32), f.local(I32)];
    root.get(part.from).i32(unitBytes).put(O.I32_MUL).set(from).within(part.to, unitBytes, sizeBytes, O.I32_LT_U, to);
    root.get(from).i32(address).put(O.I32_ADD).i32(0).get(to).get(from).put(O.I32_SUB);
  }
  root.put(O.MEMORY_FILL[0] as number, ...O.MEMORY_FILL.slice(1));
}

/** Rows whose part of the left operand stays in the second cache, whole tiles of them. */
function rowsOfBlock({ rows }: Tile): number {
  return Math.max(1, Math.floor(BLOCK_M / rows)) * rows;
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
    private readonly batch: Value | null,
    private readonly own: Own,
  ) {
    [this.a, this.b, this.c, this.inner] = [f.local(I32), f.local(I32), f.local(I32), f.local(I32)];
    this.sums = Array.from({ length: shape.rows * shape.vectors }, () => f.local(V128));
    this.columns = Array.from({ length: shape.vectors }, () => f.local(V128));
    this.row = f.local(V128);
  }

  /** All columns by rows, or by those of a part, which has no more than a block of them. */
  byRows(outer: Scope, part: Part | null): void {
    this.rows(outer, this.columnsOf(null), part);
  }

  /** All rows by columns, or by the panels of a part. */
  byColumns(outer: Scope, part: Part | null): void {
    this.rows(outer, this.columnsOf(part), null);
  }

  /** A panel at a time is copied, and all rows are multiplied by it. */
  byPanels(outer: Scope, view: NonNullable<Viewed["b"]>, part: Part | null): void {
    const width = this.shape.vectors * 4;
    const panel = (scope: Scope, column: Value | null, at: number, valid: number) => {
      view.pack({ scope, column, at, valid, width }, this.batch, this.own.right, null);
      this.rows(scope, (inner, visit) => visit(inner, column?.local ?? null, at, valid), null);
    };
    overPanels(outer, this.product.N, width, panel, part);
  }

  private columnsOf(part: Part | null): OverColumns {
    const width = this.shape.vectors * 4;
    return (scope, visit) => {
      const panel = (inner: Scope, column: Value | null, at: number, valid: number) =>
        visit(inner, column?.local ?? null, at, valid);
      overPanels(scope, this.product.N, width, panel, part);
    };
  }

  /** The tiles of the first rows, and those of the rest. */
  rows(root: Scope, columns: OverColumns, part: Part | null): void {
    const { M } = this.product;
    const { rows } = this.shape;
    const wholeRows = M - (M % rows);
    if (part !== null) {
      const [first, count] = [this.f.local(I32), this.f.local(I32)];
      root.get(part.from).i32(rows).put(O.I32_MUL).set(first);
      root.within(part.to, rows, wholeRows, O.I32_LT_U, count).get(count).get(first).put(O.I32_SUB).set(count);
      const some = (scope: Scope) =>
        scope
          .get(part.from)
          .i32(wholeRows / rows)
          .put(O.I32_LT_U);
      if (wholeRows > 0) root.where(some, (scope) => this.block(scope, first, 0, { local: count }, rows, columns));
      if (M > wholeRows)
        root.only(part, wholeRows / rows, (scope) =>
          this.block(scope, null, wholeRows, M - wholeRows, M - wholeRows, columns),
        );
      return;
    }
    const step = rowsOfBlock(this.shape);
    const far = wholeRows - (wholeRows % step);
    if (far > step) this.counted(root, 0, far, step, (scope, from) => this.block(scope, from, 0, step, rows, columns));
    else if (far > 0) this.block(root, null, 0, step, rows, columns);
    if (wholeRows > far) this.block(root, null, far, wholeRows - far, rows, columns);
    if (M > wholeRows) this.block(root, null, wholeRows, M - wholeRows, M - wholeRows, columns);
  }

  private counted(
    scope: Scope,
    from: number,
    to: number | { readonly local: number },
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
    count: number | { readonly local: number },
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
        if (typeof count !== "number" || count > rows)
          this.counted(scope, 0, count, rows, (inner, row) => tile(inner, row, at));
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
    const { a, b, c, product, panels, sums, own } = this;
    const width = this.shape.vectors * 4;
    const vectors = Math.ceil(t.valid / 4);
    const address = (local: number, constant: number, ...terms: (readonly [number | null, number])[]) => {
      scope.i32(constant);
      for (const [counter, bytes] of terms) {
        if (counter === null || bytes === 0) continue;
        scope.get(counter);
        if (bytes !== 1) scope.i32(bytes).put(O.I32_MUL);
        scope.put(O.I32_ADD);
      }
      scope.set(local);
    };
    const rowBytes = product.a.rowBytes;
    const batch = this.batch?.local ?? null;
    const { batchBytes } = product.a;
    const constant = t.rowAt * rowBytes + t.kAt * product.a.columnBytes;
    const along = [t.k, product.a.columnBytes] as const;
    address(a, product.a.address + constant, [batch, batchBytes], [t.from, rowBytes], [t.row, rowBytes], along, [
      own.left?.local ?? null,
      1,
    ]);
    const panel = panels.address + t.kAt * panels.step + (t.columnAt / width) * panels.next;
    address(
      b,
      panel,
      [batch, panels.batchBytes],
      [t.k, panels.step],
      [t.column, panels.next / width],
      [own.right?.local ?? null, 1],
    );
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
        if (product.K > BLOCK_K) scope.get(sum).get(c).memory(O.V_LOAD, offset).put(O.F_ADD).set(sum);
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
