import type { Tensor } from "../../graph/tensor";
import type { Partial } from "../../kernels/partials";
import type { Turns } from "../../kernels/turns";
import type { Fusion, Group, ScanGroup, ScatterGroup } from "../../plan/group";
import { type Accumulator, begunBy } from "../../plan/nest";
import type { Storage } from "../../plan/storage";
import { inRecord, type KernelStores } from "./dispatch";
import { Site } from "./site";
import type { Index } from "./wgsl";

export interface Places {
  element(storage: Storage, index: Index): string;
  assign(storage: Storage, index: Index, value: string): string;
}

/** The statements of a scatter as a part: the threads side by side, each with rows of its own. */
export type ScatterPart = (context: Context, part: Part, group: ScatterGroup) => string[];

export interface Context {
  readonly fusion: Fusion;
  readonly stores: KernelStores;
  readonly places: Places;
  readonly functions: Set<string>;
  readonly turns: Turns;
  readonly workgroupSize: number;
  /** Whether the workgroup is one subgroup, whose operations kernels may use. */
  readonly subgroup: boolean;
  /** Values that a thread may read before a loop and keep. */
  readonly maxOnce: number;
  /** Elements of a product that a thread computes side by side, at most. */
  readonly maxTile: number;
  /** Whether what the program changes is held in variables, of which every thread has its own, equal, copy. */
  readonly held: boolean;
  /** The statements `body` for each of `count` values of `variable`, the threads side by side. */
  loop(variable: string, count: number, body: () => readonly string[]): string[];
  /** Statements for each of `count` elements at an index: by threads side by side, or all by every thread where they are held. */
  each(count: number, statements: (index: Index) => readonly string[]): string[];
  /** The variable in which a thread begins a reduction to one number. Numbered by use, so that equal programs give equal text. */
  variableOf(node: Tensor): string;
  /** Writes scatters; undefined where the program has none. */
  readonly scatter: ScatterPart | undefined;
  /** The line that makes the threads wait for one another, and for what they have left. */
  barrier(): string;
  /** Writes a scan; null where the program has none. */
  readonly scan: ((context: Context, group: ScanGroup) => string[]) | null;
  /** A number that no other part of the kernel has. */
  next(): number;
}

/** A part of the persistent kernel. */
export class Part extends Site {
  override readonly turns: Turns;

  constructor(
    readonly context: Context,
    readonly group: Group,
  ) {
    super();
    this.turns = context.turns;
  }

  override load(tensor: Tensor, index: Index): string {
    return this.context.places.element(this.context.stores.storageOf(tensor), index);
  }

  override assign(tensor: Tensor, index: Index, value: string): string {
    const { stores, places } = this.context;
    return places.assign(stores.storageOf(tensor), index, value);
  }

  override record(place: number, value: string): string {
    const { stores, held } = this.context;
    const records = held ? "recorded && local == 0u" : "recorded";
    return `if (${records}) { history[${inRecord(stores, "record", stores.recordSize)} + ${place}u] = ${value}; }`;
  }

  override variableOf({ node }: Accumulator): string {
    return this.context.variableOf(node);
  }

  /** The variables of what the part begins. */
  partials(): Partial[] {
    return this.group.partials.map((partial) => ({
      op: partial.op,
      variable: this.variableOf(begunBy(this.group, partial)),
    }));
  }
}
