import type { Tensor } from "../graph/tensor";
import { type Access, type Bound, canonical } from "../graph/view";
import { accessesOf, type Expression, walk } from "../plan/expression";
import type { ContractionGroup, Fusion, Group, PartialReduction, ScatterGroup } from "../plan/group";
import type { Accumulator, Statement, Store } from "../plan/nest";
import type { Steps, stepsOf } from "../plan/nest-steps";
import { expressionsOf } from "../plan/schedule";
import { sizeOf } from "../util/shape";
import type { LongFunctions } from "./arithmetic";
import type { Site } from "./domain";
import type { ModuleFunction } from "./encoder";
import { LANE_BYTES } from "./lane";
import type { Buffer } from "./layout";
import { CONVERT, GLOBAL_GET, V_STORE32_LANE } from "./opcodes";
import type { Pieces } from "./pieces";
import type { Viewed } from "./products";
import type { FunctionBody, Scope, Value } from "./scope";
import { neutral, total } from "./totals";
import { type Frame, Values } from "./values";

/** Where things lie in memory, in bytes. */
export interface Places {
  addressOf(tensor: Tensor): number;
  /** Whether the node must be in memory after its kernel. */
  isStored(tensor: Tensor): boolean;
  /** The places in a step's record that a scalar output has. */
  recordsOf(tensor: Tensor): readonly number[];
  /** The one number in which a kernel leaves a reduction that another ends. */
  partialAddress(partial: PartialReduction): number;
  /** Of the whole memory. */
  readonly sizeBytes: number;
  readonly more: More | null;
}

/** What only some programs need (more.ts): a chunk of its own, which is loaded once the kernels say that it is wanted. */
export interface More extends LongFunctions {
  readonly stepsOf: typeof stepsOf;
  stepLoop(
    steps: Steps,
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
  /** All that it computes, wherever. */
  private readonly expressions: readonly Expression[];

  constructor(
    readonly pieces: Pieces,
    readonly fusion: Fusion,
    readonly group: Group,
    readonly places: Places,
  ) {
    this.expressions = expressionsOf(fusion, group);
  }

  /** The function of the piece under way. */
  get f(): FunctionBody {
    return this.pieces.f;
  }

  values(frame: Frame, site: Site, own: (tensor: Tensor) => Value | undefined): Values {
    return new Values(this.f, frame, site, this.places, own);
  }

  /** What is done at a site, where `known` has what is at hand, and gets what is computed. */
  emit(
    scope: Scope,
    statements: readonly Statement[],
    values: Values,
    known: Map<Tensor, Value>,
    take: (into: Accumulator, value: Value) => void,
  ): void {
    const stores: [Store, Value][] = [];
    for (const statement of statements) {
      switch (statement.kind) {
        case "let":
          known.set(statement.node, values.value(statement.value));
          break;
        case "accumulate":
          take(statement.into, values.value(statement.value));
          break;
        case "store":
          stores.push([statement, known.get(statement.node) as Value]);
          break;
        default:
          statement satisfies never;
      }
    }
    for (const [store, value] of stores) this.store(scope, values, store, value);
  }

  /** Leaves a value where it is wanted. */
  private store(scope: Scope, values: Values, { node, memory, records }: Store, value: Value): void {
    if (memory !== null) values.store(scope, this.places.addressOf(memory), value);
    for (const place of records) {
      const number = node.dtype === "int32" ? this.f.op(CONVERT, value) : value;
      scope
        .put(GLOBAL_GET, 0)
        .get(number.local)
        .memory(V_STORE32_LANE, LANE_BYTES * place, 0);
    }
  }

  /** The reductions that the piece under way begins, of which `count` terms come to a lane. */
  begin(count: number): Begun {
    const { f, group, places } = this;
    const totals = group.partials.map((partial) => ({ partial, total: total(f.root, partial.op, count) }));
    return {
      add: (scope, { node }, value, valid) => {
        const begun = totals.find(({ partial }) => partial.node === node);
        if (begun === undefined) throw new Error(`internal: ${node.op} has not begun`);
        begun.total.add(scope, neutral(f, begun.partial.op, value, valid), null);
      },
      end: () => {
        for (const { partial, total } of totals) {
          const sum = total.whole();
          f.root.i32(0).get(sum.local).memory(V_STORE32_LANE, places.partialAddress(partial), 0);
        }
      },
    };
  }

  /** What the guards among the kernel's expressions ask of each point of its domain. */
  bounds(): Bound[] {
    const found: Bound[] = [];
    walk(this.expressions, (expression: Expression) => {
      if (expression.kind !== "guard") return;
      found.push(...expression.bounds.filter(({ access }) => sizeOf(access.shape) === this.group.size));
    });
    return found;
  }

  /** How the kernel's expressions reach memory and positions, those of one number for each row apart. */
  accesses(): { element: Access[]; row: Access[] } {
    const found = { element: [] as Access[], row: [] as Access[] };
    walk(this.expressions, (expression: Expression) => {
      for (const access of accessesOf(expression)) {
        // What is constant everywhere fits any axes.
        if (sizeOf(access.shape) === this.group.size) found.element.push(access);
        else found.row.push(access);
      }
    });
    return found;
  }
}

/** Reductions to one number under way in a kernel. */
export interface Begun {
  add(scope: Scope, into: Accumulator, value: Value, valid: number): void;
  end(): void;
}

export const FLAT = (size: number): Access => canonical([size], [1]);
