import type { Tensor } from "../graph/tensor";
import { type Access, type Bound, canonical } from "../graph/view";
import { accessesOf, type Expression, walk } from "../plan/expression";
import type { ContractionGroup, Fusion, Group, PartialReduction, ScanPlan, ScatterGroup } from "../plan/group";
import { expressionsOf } from "../plan/schedule";
import { sizeOf } from "../util/shape";
import type { LongFunctions } from "./arithmetic";
import type { Site } from "./domain";
import type { ModuleFunction } from "./encoder";
import type { Buffer } from "./layout";
import { CONVERT, GLOBAL_GET, V_STORE32_LANE } from "./opcodes";
import type { Pieces } from "./pieces";
import type { Viewed } from "./products";
import type { FunctionBody, Scope, Value } from "./scope";
import { type Frame, Values } from "./values";

/** Where things lie in memory, in bytes. */
export interface Places {
  addressOf(tensor: Tensor): number;
  /** Whether the node must be in memory after its kernel. */
  isStored(tensor: Tensor): boolean;
  /** Offsets in a step's record at which a scalar output stands. */
  recordsOf(tensor: Tensor): readonly number[];
  /** The one number in which a kernel leaves a reduction that another ends. */
  partialAddress(partial: PartialReduction): number;
  /** Of the whole memory. */
  readonly sizeBytes: number;
  readonly more: More | null;
}

/** What only some programs need (more.ts): a chunk of its own, which is loaded once the kernels say that it is wanted. */
export interface More extends LongFunctions {
  stepLoop(
    plan: ScanPlan,
    name: string,
    outside: (tensor: Tensor) => Buffer,
    inside: (tensor: Tensor) => Buffer,
    functions: readonly number[],
  ): ModuleFunction;
  emitScatter(kernel: Kernel, group: ScatterGroup): void;
  viewedOf(kernel: Kernel, group: ContractionGroup, left: number, packed: number): Viewed;
}

/** One kernel under way. */
export class Kernel {
  private readonly definitions = new Map<Tensor, Expression>();

  constructor(
    readonly pieces: Pieces,
    readonly fusion: Fusion,
    readonly group: Group,
    readonly places: Places,
  ) {}

  /** The function of the piece under way. */
  get f(): FunctionBody {
    return this.pieces.f;
  }

  definition(node: Tensor): Expression {
    const known = this.definitions.get(node) ?? this.fusion.definition(this.group, node);
    this.definitions.set(node, known);
    return known;
  }

  values(frame: Frame, site: Site, own: (tensor: Tensor) => Value | undefined): Values {
    return new Values(this.f, frame, site, this.places, own);
  }

  /** Leaves a node's value where it is wanted. */
  store(scope: Scope, values: Values, node: Tensor, value: Value): void {
    if (this.places.isStored(node)) values.store(scope, this.places.addressOf(node), value);
    for (const offset of this.places.recordsOf(node)) {
      const number = node.dtype === "int32" ? this.f.op(CONVERT, value) : value;
      scope.put(GLOBAL_GET, 0).get(number.local).memory(V_STORE32_LANE, offset, 0);
    }
  }

  /** What the guards among the kernel's expressions ask of each point of its domain. */
  bounds(): Bound[] {
    const found: Bound[] = [];
    walk(expressionsOf(this.fusion, this.group), (expression: Expression) => {
      if (expression.kind !== "guard") return;
      found.push(...expression.bounds.filter(({ access }) => sizeOf(access.shape) === this.group.size));
    });
    return found;
  }

  /** How the kernel's expressions reach memory and positions, those of one number for each row apart. */
  accesses(): { element: Access[]; row: Access[] } {
    const found = { element: [] as Access[], row: [] as Access[] };
    walk(expressionsOf(this.fusion, this.group), (expression: Expression) => {
      for (const access of accessesOf(expression)) {
        // What is constant everywhere fits any axes.
        if (sizeOf(access.shape) === this.group.size) found.element.push(access);
        else found.row.push(access);
      }
    });
    return found;
  }
}

export const FLAT = (size: number): Access => canonical([size], [1]);
