import { isFold } from "../graph/ops";
import type { Tensor } from "../graph/tensor";
import type { Access } from "../graph/view";
import { sizeOf } from "../util/shape";
import { countOps, type Expression, isInlinable, walk } from "./expression";
import { type ContractionGroup, combinedBy, type Fusion, type Group, nodesOf, plainProductOf, splitOf } from "./group";
import { expressionsOf, overlap, readsOf, touchesOf } from "./schedule";
import type { Stores } from "./storage";
import { opsOf } from "./work";

/**
 * Kernels that run as one loop over the rows of a batch: a thread takes a row through all of them and keeps what it computes in
 * registers. Weights are read once; sums over the batch begin in registers too, and end after the loop.
 */
export interface RowLoop {
  readonly kind: "rowLoop";
  readonly rows: number;
  readonly groups: readonly Group[];
  /** Those that sum over the rows. */
  readonly sums: ReadonlySet<Group>;
  /** How many sums they begin. */
  readonly totals: number;
}

/** A part of the persistent kernel. */
export type Segment = RowLoop | { readonly kind: "group"; readonly group: Group };

/** A kernel as a part of its own. */
export function alone(group: Group): Segment {
  return { kind: "group", group };
}

export function rowLoopsOf(segments: readonly Segment[]): RowLoop[] {
  return segments.flatMap((segment) => (segment.kind === "rowLoop" ? [segment] : []));
}

export function groupsOf(segment: Segment): readonly Group[] {
  return segment.kind === "rowLoop" ? segment.groups : [segment.group];
}

/** Operations on one row, of all loops, beyond which their bodies take longer to compile than they save: each is written out. */
const MAX_OPERATIONS = 600;
/** Sums that a thread holds: registers of a GPU are few; a software adapter keeps them in memory anyway. */
const MAX_SUMS = { hardware: 128, software: 512 };
/** Fewer rows are not worth a loop. */
const MIN_ROWS = 8;

/** What a kernel touches: storages, and reductions that one kernel begins and another ends. */
interface Touches {
  readonly reads: ReadonlySet<unknown>;
  readonly writes: ReadonlySet<unknown>;
}

/** Cuts a step's kernels, in their order, into row loops and kernels of their own. No row loop where it would not do most of the work. */
export function segmentsOf(
  fusion: Fusion,
  order: readonly Group[],
  stores: Stores,
  { software, workOf }: { software: boolean; workOf: (group: Group) => number },
): Segment[] {
  const rows = commonRows(order, workOf);
  if (rows < MIN_ROWS) return order.map(alone);
  const segments = new Segmenting(fusion, stores, rows, MAX_SUMS[software ? "software" : "hardware"]).cut(order);
  const work = (groups: readonly Group[]) => groups.reduce((sum, group) => sum + workOf(group), 0);
  const looped = work(rowLoopsOf(segments).flatMap(({ groups }) => groups));
  return looped >= 0.8 * work(order) ? segments : order.map(alone);
}

/** Tensors that pass from kernel to kernel within a row loop alone: they need no memory. */
export function passedOn(
  fusion: Fusion,
  segments: readonly Segment[],
  lasts: (tensor: Tensor) => boolean,
): Set<Tensor> {
  const readers = new Map<Tensor, Set<Segment>>();
  for (const segment of segments) {
    for (const group of groupsOf(segment)) {
      for (const tensor of readsOf(fusion, group)) {
        readers.set(tensor, (readers.get(tensor) ?? new Set()).add(segment));
      }
    }
  }
  const passed = new Set<Tensor>();
  for (const segment of rowLoopsOf(segments)) {
    for (const group of segment.groups) {
      if (segment.sums.has(group)) continue;
      for (const node of nodesOf(group)) {
        if (lasts(node)) continue;
        if ([...(readers.get(node) ?? [])].every((reader) => reader === segment)) passed.add(node);
      }
    }
  }
  return passed;
}

/**
 * What an access reads at a row and column of a domain [rows, columns]: element `row * stride + offset`. Null where it is not
 * of that form.
 */
export function alongRows(
  { shape, strides, offset: first, last }: Access,
  rows: number,
  columns: number,
  column: number,
): { stride: number; offset: number } | null {
  let [stride, offset, passed] = [0, first, 1];
  if (last !== null) return null;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis] as number;
    const step = strides[axis] as number;
    if (step !== 0) {
      if (columns % (passed * length) === 0) offset += (Math.floor(column / passed) % length) * step;
      else if (columns % passed === 0 && passed * length === rows * columns) {
        stride += (columns / passed) * step;
        offset += Math.floor(column / passed) * step;
      } else return null;
    }
    passed *= length;
  }
  return stride < 0 || offset < 0 ? null : { stride, offset };
}

/** Whether a point reads nothing of other rows, of `width` elements each: a view may have moved them. */
function readsOwnRow(access: Access, rows: number, columns: number, width: number): boolean {
  if (access.offset === 0 && access.strides.every((stride) => stride >= 0)) return true;
  for (let column = 0; column < columns; column++)
    if ((alongRows(access, rows, columns, column)?.offset ?? width) >= width) return false;
  return true;
}

/** The batch that most of the work runs along. */
function commonRows(order: readonly Group[], workOf: (group: Group) => number): number {
  const work = new Map<number, number>();
  for (const group of order) {
    if (group.kind === "scatter") continue;
    const first = group.members[0]?.shape[0] ?? 0;
    const split = splitOf(group);
    const candidates =
      group.kind === "contraction"
        ? rowsOfProduct(group)
        : split
          ? [split.outer, split.outer === 1 ? split.length : 0]
          : [group.size % Math.max(first, 1) === 0 ? first : 0];
    for (const rows of new Set(candidates)) work.set(rows, (work.get(rows) ?? 0) + workOf(group));
  }
  work.delete(0);
  let best = 0;
  for (const [rows, sum] of work) if (best === 0 || sum > (work.get(best) as number)) best = rows;
  return best;
}

/** What a loop over rows could take a product along. */
function rowsOfProduct(group: ContractionGroup): number[] {
  const plain = plainProductOf(group);
  return plain === null ? [] : [plain.M, plain.K];
}

/** A kernel's part in a loop over the rows: its operations on a row, and the sums over all rows that it begins. */
interface Form {
  readonly sum: boolean;
  readonly operations: number;
  readonly totals: number;
}

class Segmenting {
  private readonly segments: Segment[] = [];
  private before: Group[] = [];
  private after: Group[] = [];
  private groups: Group[] = [];
  private sums = new Set<Group>();
  /** Values of a row in registers. */
  private values = new Set<Tensor>();
  private operations = 0;
  private totals = 0;
  /** Operations of the row loops before. */
  private spent = 0;

  constructor(
    private readonly fusion: Fusion,
    private readonly stores: Stores,
    private readonly rows: number,
    private readonly maxSums: number,
  ) {}

  cut(order: readonly Group[]): Segment[] {
    for (const group of order) {
      if (this.joins(group)) continue;
      // What does not take part runs before the loop if it may, else after it.
      if (this.apart(group, [...this.groups, ...this.after])) this.before.push(group);
      else if (this.formOf(group, new Set()) === null) this.after.push(group);
      else if (!this.release(group) || !this.joins(group)) {
        this.flush();
        if (!this.joins(group)) this.before.push(group);
      }
    }
    this.flush();
    return this.segments;
  }

  private flush(): void {
    const { groups, sums, rows, totals } = this;
    this.spent += this.operations;
    this.segments.push(...this.before.map(alone));
    if (groups.length > 0) this.segments.push({ kind: "rowLoop", rows, groups, sums, totals });
    this.segments.push(...this.after.map(alone));
    [this.before, this.after, this.groups] = [[], [], []];
    this.sums = new Set();
    this.values = new Set();
    [this.operations, this.totals] = [0, 0];
  }

  /**
   * Lets those go ahead, as a row loop of their own, whose sums over the rows a kernel needs; the others stay to be joined by it.
   * False where all would have to go, or none may.
   */
  private release(group: Group): boolean {
    const { reads } = this.touches(group);
    const ahead = new Set(
      this.groups.filter((other) => this.sums.has(other) && overlap(reads, this.touches(other).writes)),
    );
    // And what they need of the row loop themselves: a set grows while it is walked.
    for (const needed of ahead) {
      for (const tensor of readsOf(this.fusion, needed)) {
        const home = this.fusion.home.get(tensor);
        if (home && this.values.has(tensor)) ahead.add(home);
      }
    }
    const rest = this.groups.filter((other) => !ahead.has(other));
    if (ahead.size === 0 || rest.length === 0) return false;
    if (rest.some((one) => [...ahead].some((other) => this.spoils(one, other) || this.spoils(other, one))))
      return false;
    const { after } = this;
    this.after = [];
    this.restart(this.groups.filter((other) => ahead.has(other)));
    this.flush();
    this.restart(rest);
    this.after = after;
    return true;
  }

  /** Takes up kernels that have joined before. */
  private restart(groups: readonly Group[]): void {
    this.groups = [];
    this.sums = new Set();
    this.values = new Set();
    [this.operations, this.totals] = [0, 0];
    for (const group of groups) this.take(group, this.formOf(group, this.values) as Form);
  }

  /** Whether a kernel overwrites what another one writes too, or reads otherwise than as this one's own value. */
  private spoils(writer: Group, other: Group): boolean {
    const { reads, writes } = this.touches(other);
    for (const storage of this.touches(writer).writes) {
      if (writes.has(storage)) return true;
      if (!reads.has(storage)) continue;
      for (const tensor of readsOf(this.fusion, other)) {
        const passed = this.values.has(tensor) && this.fusion.home.get(tensor) === writer;
        if (this.stores.storageOf(tensor) === storage && !passed) return true;
      }
    }
    return false;
  }

  private joins(group: Group): boolean {
    const form = this.formOf(group, this.values);
    if (form === null || !this.apart(group, this.after)) return false;
    const { operations, totals } = form;
    if (this.spent + this.operations + operations > MAX_OPERATIONS || this.totals + totals > this.maxSums) return false;
    // What it reads of the row loop it must find in registers: nothing that is only there after the loop, or in other rows.
    const own = this.touches(group);
    const inMemory = [...readsOf(this.fusion, group)].filter((tensor) => !this.values.has(tensor));
    const reads = new Set<unknown>(inMemory.map((tensor) => this.stores.storageOf(tensor)));
    for (const other of this.groups) {
      const { reads: read, writes: written } = this.touches(other);
      if (overlap(reads, written) || overlap(own.writes, written)) return false;
      // A sum is written after the loop, when everything has read; what a row writes others may still want to read.
      if (!form.sum && overlap(own.writes, read)) return false;
      if (form.sum && this.sums.has(other) && overlap(own.writes, read)) return false;
    }
    this.take(group, form);
    return true;
  }

  private take(group: Group, { sum, operations, totals }: Form): void {
    this.groups.push(group);
    if (sum) this.sums.add(group);
    else for (const node of nodesOf(group)) this.values.add(node);
    this.operations += operations;
    this.totals += totals;
  }

  /** Whether a kernel may change places with others. */
  private apart(group: Group, others: readonly Group[]): boolean {
    const { reads, writes } = this.touches(group);
    return others.every((other) => {
      const theirs = this.touches(other);
      return !overlap(reads, theirs.writes) && !overlap(writes, theirs.reads) && !overlap(writes, theirs.writes);
    });
  }

  private readonly known = new Map<Group, Touches>();
  private touches(group: Group): Touches {
    const known = this.known.get(group);
    if (known) return known;
    const { reads, writes } = touchesOf(this.fusion, this.stores, group);
    const made = {
      reads: new Set<unknown>([...reads, ...combinedBy(group).map(({ node }) => node)]),
      writes: new Set<unknown>([...writes, ...group.partials.map(({ node }) => node)]),
    };
    this.known.set(group, made);
    return made;
  }

  /** How a kernel takes part in a loop over the rows, where `values` are in registers. Null where it cannot. */
  private formOf(group: Group, values: ReadonlySet<Tensor>): Form | null {
    const form = this.findForm(group, values);
    return form === null || form.operations > MAX_OPERATIONS || form.totals > this.maxSums ? null : form;
  }

  private findForm(group: Group, values: ReadonlySet<Tensor>): Form | null {
    const { rows, fusion } = this;
    const operations = (columns: number) => opsOf(fusion, group) * columns;
    /** Whether every value is read at the row's own place in a domain of so many columns. */
    const inRow = (expressions: readonly Expression[], columns: number): boolean => {
      let fits = true;
      walk(expressions, (part) => {
        if (part.kind === "guard" || (part.kind === "gather" && values.has(part.tensor))) fits = false;
        if (part.kind !== "load" && part.kind !== "gather" && part.kind !== "position") return;
        const at = alongRows(part.access, rows, columns, 0);
        if (at === null) fits = false;
        else if (part.kind === "load" && values.has(part.tensor)) {
          const width = sizeOf(part.tensor.shape) / rows;
          fits &&= at.stride === width && readsOwnRow(part.access, rows, columns, width);
        }
      });
      return fits;
    };
    const readsNone = (expressions: readonly Expression[]): boolean => {
      let none = true;
      walk(expressions, (part) => {
        if ((part.kind === "load" || part.kind === "gather") && values.has(part.tensor)) none = false;
      });
      return none;
    };
    const all = expressionsOf(fusion, group);
    switch (group.kind) {
      case "combine":
      case "scatter":
      case "scan":
        return null;
      case "map": {
        const columns = group.size / rows;
        if (!Number.isInteger(columns) || !inRow(all, columns)) return null;
        return { sum: false, operations: operations(columns), totals: 0 };
      }
      case "contraction": {
        const plain = plainProductOf(group);
        if (plain === null) return null;
        const { a, b, M, N, K } = plain;
        if (K === rows && a.transposed && !b.transposed && group.partials.length === 0 && readsNone(all))
          return { sum: true, operations: M * N, totals: M * N };
        if (M !== rows || a.transposed || values.has(b.tensor) || !inRow(all, N)) return null;
        return { sum: false, operations: (K + opsOf(fusion, group)) * N, totals: 0 };
      }
      case "reduction": {
        const { outer, length, inner } = group.split;
        const isReduction = (node: Tensor) => !isInlinable(node);
        if (outer === rows) {
          const ofRow = (node: Tensor) => sizeOf(node.shape) === outer * inner;
          const definition = (node: Tensor) =>
            isReduction(node) ? fusion.expression(group, node.operands[0] as Tensor) : fusion.definition(group, node);
          const fits =
            group.members.every((node) =>
              inRow([definition(node)], !isReduction(node) && ofRow(node) ? inner : length * inner),
            ) &&
            group.partials.every(({ value }) =>
              inRow([fusion.expression(group, value)], ofRow(value) ? inner : length * inner),
            );
          return fits ? { sum: false, operations: operations(length * inner), totals: 0 } : null;
        }
        if (outer !== 1 || length !== rows || group.partials.length > 0) return null;
        const reductions = group.members.filter(isReduction);
        const rest = group.members.filter((node) => !isReduction(node));
        const firstPass = reductions.every((node) => isFold(node.op) && !usesOwn(fusion, group, node));
        const afterwards =
          rest.every((node) => sizeOf(node.shape) === inner) &&
          readsNone(rest.map((node) => fusion.definition(group, node)));
        const summed = reductions.map((node) => fusion.expression(group, node.operands[0] as Tensor));
        if (!firstPass || !afterwards || !inRow(summed, inner)) return null;
        // What follows from the sums is a loop after the rows.
        const written = countOps(summed) + reductions.length;
        return { sum: true, operations: written * inner, totals: reductions.length * inner };
      }
      default:
        return group satisfies never;
    }
  }
}

/** Whether a reduction needs another value of its own kernel first. */
function usesOwn(fusion: Fusion, group: Group, reduction: Tensor): boolean {
  let uses = false;
  walk([fusion.expression(group, reduction.operands[0] as Tensor)], ({ kind }) => {
    if (kind === "own") uses = true;
  });
  return uses;
}
