import { bytesOf, rowOf } from "../../graph/ops";
import { countOf, type Program } from "../../graph/program";
import { literalOf, type Tensor } from "../../graph/tensor";
import { canonical } from "../../graph/view";
import type { Expression } from "../../plan/expression";
import { copyOf, type Fusion, type Group, type PartialReduction } from "../../plan/group";
import { place } from "../../plan/place";
import { readsOf, schedule } from "../../plan/schedule";
import type { Storage } from "../../plan/storage";
import { byName } from "../../util/names";
import { sizeOf } from "../../util/shape";
import { bytesIn, elementsIn, type KernelStores, type LoweredDispatch, WORD_BYTES } from "./dispatch";
import type { Kernels } from "./kernel-set";
import { lowerCombine, lowerGroup } from "./lower";
import {
  type Dispatch,
  mostTurns,
  type Plan,
  type PlanBuffer,
  type PlannedKernel,
  type Role,
  type Route,
  type Target,
} from "./plan";

/** Records that the history has room for, and bytes that the partial results of deferred scalars may take. */
const MAX_RECORDS = 1024;
const MIN_RECORDS = 16;
const PARTIALS_BYTES = 8 * 2 ** 20;

/** A persistent kernel records more steps between two submissions, and has no partial results. */
const MAX_PERSISTENT_RECORDS = 16384;
const HISTORY_BYTES = 2 ** 20;

/** Writes a program as one kernel: a chunk of its own, so that a page whose networks are too large for it does not download it. */
export type LowerPersistent = typeof import("./persistent").lowerPersistent;

export type Named = readonly (readonly [string, Tensor])[];

/** Gives a program's values their buffers, and its kernels to one route or the other. */
export class Planner {
  private readonly storages = new Map<Tensor, Storage>();
  private readonly roles = new Map<Storage, Role>();
  private readonly values = new Map<Storage, ArrayLike<number>>();
  private readonly partials = new Map<PartialReduction, Storage>();
  private readonly names = new Map<Tensor, string>();
  private readonly scalars: readonly string[];
  private readonly fusion: Fusion;
  private readonly order: readonly Group[];
  private readonly history: Storage | null;
  readonly copies: number;
  private records: number;

  constructor(
    private readonly program: Program,
    private readonly outputs: Named,
    private readonly updates: Named,
    fusion: Fusion,
    private readonly target: Target,
    private readonly kernels: Kernels,
  ) {
    const parameters = program.parameters;
    this.copies = countOf(program);
    const { order, inPlace } = schedule(
      fusion,
      new Map(updates.map(([name, node]) => [parameters[name] as Tensor, node])),
    );
    this.scalars = outputs.filter(([, node]) => sizeOf(node.shape) === 1).map(([name]) => name);
    for (const [name, node] of [...updates.map(([name, node]) => [`${name}'`, node] as const), ...outputs])
      this.names.set(node, name);
    this.records = this.recordsIn(PARTIALS_BYTES, MAX_RECORDS);
    this.history =
      this.scalars.length > 0
        ? this.add({ name: "history", elements: 0, dtype: "float32", perRecord: this.scalars.length }, "history")
        : null;
    for (const [role, tensors] of [
      ["input", program.inputs],
      ["parameter", parameters],
    ] as const) {
      for (const [name, tensor] of Object.entries(tensors)) {
        const { own, shared: shares } = program.copies ?? {};
        const shared = role === "input" ? !own?.has(name) : shares?.has(name);
        this.storages.set(
          tensor,
          this.add({ name, elements: sizeOf(tensor.shape), dtype: tensor.dtype, shared: shared ?? false }, role),
        );
      }
    }
    for (const [node, parameter] of inPlace) this.storages.set(node, this.storages.get(parameter) as Storage);
    for (const [name, node] of outputs) {
      if (this.storages.has(node) || sizeOf(node.shape) === 1) continue;
      this.storages.set(node, this.add({ name, elements: sizeOf(node.shape), dtype: node.dtype }, "output"));
    }
    // Updates that cannot overwrite their parameter are kept aside, and copied once every reader of the old value is done.
    const copies = updates.flatMap(([name, node]) => {
      const parameter = parameters[name] as Tensor;
      return inPlace.get(node) === parameter ? [] : [{ from: node, to: this.storages.get(parameter) as Storage }];
    });
    const { fusion: joined, groups } = withCopies(fusion, order.length, copies, (copy, to) =>
      this.storages.set(copy, to),
    );
    this.fusion = joined;
    this.order = [...order, ...groups];
  }

  /** Each kernel as a dispatch of its own, told to `written` as soon as it is. */
  recorded(written: (kernel: PlannedKernel) => void): Plan {
    const { fusion, target, kernels } = this;
    const stores = this.stores();
    const carried = kernels.columnSumsOf?.(fusion, this.order, stores, target, kernels);
    const step = (carried?.order ?? this.order).flatMap((group) => {
      const dispatches = lowerGroup(fusion, group, stores, target, kernels, carried?.columnSums.get(group));
      for (const { kernel, label, bindings, stepArguments } of dispatches)
        written({ kernel: kernel.name, source: kernel.source, label, bindings, stepArguments });
      return dispatches;
    });
    const deferred = fusion.deferred === null ? null : lowerCombine(fusion, fusion.deferred, stores, target);
    return this.assemble("recorded", step, deferred);
  }

  /** All kernels as one, many steps a dispatch; null where the program does not fit a workgroup. */
  persistent(write: LowerPersistent): Plan | null {
    const stores = this.stores();
    const used = new Set(
      this.order.flatMap((group) => [...readsOf(this.fusion, group)]).map((tensor) => this.storageOf(tensor)),
    );
    const updated = new Set(this.updates.map(([name]) => this.storageOf(this.program.parameters[name] as Tensor)));
    const resident = [...this.roles].flatMap(([storage, role]) => {
      if (role === "history" || role === "intermediate" || role === "partials") return [];
      const changes = role === "output" || updated.has(storage);
      return used.has(storage) || changes
        ? [{ storage, access: changes ? ("read_write" as const) : ("read" as const) }]
        : [];
    });
    // One binding holds them all: an adapter promises no more than eight, and an optimizer has three for each weight.
    const offsets = new Map<Storage, number>();
    let elements = 0;
    for (const { storage } of resident) {
      offsets.set(storage, elements);
      elements += elementsIn(this, storage);
    }
    // Last, the steps that were done.
    const count: Storage = { name: "steps done", elements: 1, dtype: "int32" };
    offsets.set(count, elements);
    const state: Storage = { name: "state", elements: elements + this.copies, dtype: "float32", shared: true };
    if (bytesIn(this, state) > this.target.maxBindingBytes) return null;
    const residents = { resident, offsets, state, history: this.history };
    const { scatter, scan } = this.kernels;
    const dispatch = write(this.fusion, this.order, stores, residents, this.target, {
      scatter: scatter?.scatterPart,
      scan: scan?.writeScan ?? null,
    });
    if (dispatch === null) return null;
    this.add(state, "state");
    this.add(count, "count");
    this.records = this.recordsIn(this.copies === 1 ? HISTORY_BYTES : PARTIALS_BYTES, MAX_PERSISTENT_RECORDS);
    return this.assemble("persistent", [dispatch], null, { state, offsets, count });
  }

  /** Records that so many bytes of history hold, at most `most`. */
  private recordsIn(bytes: number, most: number): number {
    const recordBytes = bytesOf("float32") * Math.max(1, this.scalars.length) * this.copies;
    return Math.max(MIN_RECORDS, Math.min(most, Math.floor(bytes / recordBytes)));
  }

  private stores(): KernelStores {
    const { fusion } = this;
    const scalarNodes = this.outputs.filter(([, node]) => sizeOf(node.shape) === 1);
    return {
      storageOf: (tensor) => this.storageOf(tensor),
      recordsOf: (tensor) => scalarNodes.flatMap(([, node], i) => (node === tensor ? [i] : [])),
      isStored: (tensor) => fusion.stored.has(tensor) && this.needsMemory(tensor),
      history: this.history,
      stepArguments: this.target.immediates ? "immediate" : "uniform",
      recordSize: this.scalars.length,
      copies: this.copies,
      partials: (partial, count, deferred) => this.partialsOf(partial, count, deferred),
    };
  }

  /** Scalars that only the record wants need no buffer of their own. */
  private needsMemory(node: Tensor): boolean {
    if (sizeOf(node.shape) !== 1 || this.storages.has(node) || rowOf(node.op).kind === "scatter") return true;
    if (this.updates.some(([, update]) => update === node)) return true;
    this.read ??= new Set(this.order.flatMap((group) => [...readsOf(this.fusion, group)]));
    return this.read.has(node);
  }
  private read: Set<Tensor> | null = null;

  private add(storage: Storage, role: Role): Storage {
    this.roles.set(storage, role);
    return storage;
  }

  private storageOf(tensor: Tensor): Storage {
    const known = this.storages.get(tensor);
    if (known !== undefined) return known;
    const elements = sizeOf(tensor.shape);
    const values = tensor.attributes.values;
    const made =
      tensor.op === "constant" && values !== undefined && literalOf(tensor) === null
        ? this.add({ name: `constant ${this.roles.size}`, elements, dtype: tensor.dtype, shared: true }, "constant")
        : this.add(
            { name: this.names.get(tensor) ?? `${tensor.op} ${this.roles.size}`, elements, dtype: tensor.dtype },
            "intermediate",
          );
    if (values !== undefined && this.roles.get(made) === "constant") this.values.set(made, values);
    this.storages.set(tensor, made);
    return made;
  }

  private partialsOf(partial: PartialReduction, count: number, deferred: boolean): Storage {
    const known = this.partials.get(partial);
    if (known !== undefined) return known;
    const name = `${partial.op} ${this.roles.size}`;
    if (deferred)
      this.records = Math.max(
        MIN_RECORDS,
        Math.min(this.records, Math.floor(PARTIALS_BYTES / (bytesOf("float32") * count * this.copies))),
      );
    const made: Storage = deferred
      ? { name, elements: 0, dtype: "float32", perRecord: count }
      : { name, elements: count, dtype: "float32" };
    this.partials.set(partial, this.add(made, deferred ? "partials" : "intermediate"));
    return made;
  }

  /** The finished plan; what `packed` has an offset for lies in its state. */
  private assemble(
    route: Route,
    step: readonly LoweredDispatch[],
    deferred: LoweredDispatch | null,
    packed: { state: Storage; offsets: ReadonlyMap<Storage, number>; count: Storage } | null = null,
  ): Plan {
    const all = [...step, ...(deferred ? [deferred] : [])];
    const spans = new Map<Storage, [number, number]>();
    all.forEach(({ bindings }, at) => {
      for (const { storage } of bindings) spans.set(storage, [spans.get(storage)?.[0] ?? at, at]);
    });
    for (const storage of spans.keys()) if (!this.roles.has(storage)) this.roles.set(storage, "intermediate");
    const storages = [...this.roles.keys()].filter(
      (storage) => spans.has(storage) || this.roles.get(storage) !== "intermediate",
    );
    const elementsOf = (storage: Storage) =>
      storage.perRecord === undefined ? elementsIn(this, storage) : storage.perRecord * this.records * this.copies;
    const apart = storages.filter((storage) => !packed?.offsets.has(storage));
    const { allocationOf, allocations } = place(
      apart.map((storage) => ({
        bytes: Math.max(4, elementsOf(storage) * bytesOf(storage.dtype)),
        span: this.roles.get(storage) === "intermediate" ? (spans.get(storage) ?? null) : null,
      })),
    );
    const allocationAt = new Map(apart.map((storage, i) => [storage, allocationOf[i] as number]));
    const index = new Map(storages.map((storage, i) => [storage, i]));
    const buffers = storages.map((storage): PlanBuffer => {
      const values = this.values.get(storage);
      const offset = packed?.offsets.get(storage);
      return {
        name: storage.name,
        role: this.roles.get(storage) ?? "intermediate",
        dtype: storage.dtype,
        elements: elementsOf(storage),
        allocation: allocationAt.get(offset === undefined ? storage : (packed as { state: Storage }).state) as number,
        offset: (offset ?? 0) * WORD_BYTES,
        ...(values && { values }),
      };
    });
    const finish = ({ kernel, bindings, ...rest }: LoweredDispatch): Dispatch => ({
      ...rest,
      kernel: kernel.name,
      source: kernel.source,
      turns: kernel.turns,
      workgroups: [kernel.workgroups[0], kernel.workgroups[1], this.copies],
      bindings: bindings.map(({ storage, access }) => ({ buffer: index.get(storage) as number, access })),
    });
    const named = (tensors: Named) =>
      byName(tensors.map(([name, tensor]) => [name, index.get(this.storageOf(tensor)) as number]));
    return {
      route,
      reason: "",
      buffers,
      allocations: allocations,
      step: step.map(finish),
      deferred: deferred && finish(deferred),
      scalars: this.scalars,
      copies: this.copies,
      records: this.records,
      history: this.history && (index.get(this.history) as number),
      count: packed && (index.get(packed.count) as number),
      maxSteps: packed ? maxStepsOf(step, this.target) : Number.POSITIVE_INFINITY,
      inputs: named(Object.entries(this.program.inputs)),
      parameters: named(Object.entries(this.program.parameters)),
      outputs: named(this.outputs.filter(([, node]) => sizeOf(node.shape) !== 1)),
      updates: this.updates.map(([name]) => name),
    };
  }
}

/** Steps that a thread may take in one dispatch of a persistent kernel. */
function maxStepsOf([dispatch]: readonly LoweredDispatch[], target: Target): number {
  const { turns = 1, turnsOnce = 0 } = dispatch?.persistent ?? {};
  return Math.floor((mostTurns(target) - turnsOnce) / turns);
}

/** The fusion with a kernel more for each copy. */
function withCopies(
  fusion: Fusion,
  first: number,
  copies: readonly { readonly from: Tensor; readonly to: Storage }[],
  placed: (copy: Tensor, to: Storage) => void,
): { fusion: Fusion; groups: Group[] } {
  const home = new Map(fusion.home);
  const stored = new Set(fusion.stored);
  const definitions = new Map<Tensor, Expression>();
  const groups = copies.map(({ from, to }, i): Group => {
    const copy = copyOf(from);
    const size = sizeOf(from.shape);
    const group: Group = {
      kind: "map",
      size,
      members: [copy],
      partials: [],
      index: first + i,
    };
    home.set(copy, group);
    stored.add(copy);
    const access = canonical([size], [1]);
    definitions.set(copy, { kind: "load", dtype: from.dtype, tensor: from, access });
    placed(copy, to);
    return group;
  });
  const definition = (group: Group, node: Tensor) => definitions.get(node) ?? fusion.definition(group, node);
  return { fusion: { ...fusion, home, stored, definition }, groups };
}
