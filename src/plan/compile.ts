import type { Program } from "../graph/program";
import { literalOf, Tensor } from "../graph/tensor";
import { DeviceError } from "../util/errors";
import { sizeOf } from "../util/shape";
import { type Fusion, fuse, type Group, type Partial } from "./fuse";
import { type LoweredDispatch, lowerCombine, lowerGroup, type Storage, type Stores } from "./lower";
import { place } from "./place";
import type { Dispatch, Plan, PlanBuffer, Role, Target } from "./plan";
import { readsOf, type Schedule, schedule } from "./schedule";
import { simplify } from "./simplify";

/** Records that the history has room for, and bytes that the tail's partial results may take. */
const MAX_RECORDS = 1024;
const MIN_RECORDS = 16;
const PARTIALS_BYTES = 8 * 2 ** 20;

/**
 * How a program will run on `target`: which kernels over which buffers in which order. Plain data; equal programs give
 * equal plans. Throws DeviceError, with both numbers, where a buffer is larger than the device can bind.
 */
export function compile(program: Program, target: Target): Plan {
  const results = simplify([...Object.values(program.outputs), ...Object.values(program.updates ?? {})]);
  // What would still be a leaf, a view or a number gets a kernel that copies it: a result has a buffer of its own.
  const simplified = (tensors: Record<string, Tensor>) =>
    Object.entries(tensors).map(([name, tensor]) => [name, results.get(tensor) as Tensor] as const);
  const outputs = simplified(program.outputs).map(
    ([name, node]) => [name, isLeaf(node) ? copyOf(node) : node] as const,
  );
  const updates = simplified(program.updates ?? {}).map(
    ([name, node]) => [name, isLeaf(node) ? copyOf(node) : node] as const,
  );
  // The fewer buffers a kernel reads, the fewer it binds; where values to be stored come on top, it is tried with less.
  for (let maxLoads = target.maxStorageBuffers - 1; maxLoads >= 2; maxLoads--) {
    const fusion = fuse(
      outputs.map(([, node]) => node),
      updates.map(([, node]) => node),
      { maxLoads },
    );
    const plan = new Planner(program, outputs, updates, fusion, target).plan();
    if (
      [...plan.step, ...(plan.tail ? [plan.tail] : [])].every(
        ({ bindings }) => bindings.length <= target.maxStorageBuffers,
      )
    )
      return plan;
  }
  throw new DeviceError(
    `compile: the program needs more buffers in one kernel than this device binds, ${target.maxStorageBuffers}`,
  );
}

function isLeaf(node: Tensor): boolean {
  return node.operands.length === 0;
}

/** A view that shows its operand as it is: as a kernel, a copy. */
function copyOf(node: Tensor): Tensor {
  return new Tensor("reshape", [node], node.shape, node.dtype);
}

type Named = readonly (readonly [string, Tensor])[];

class Planner {
  private readonly storages = new Map<Tensor, Storage>();
  private readonly roles = new Map<Storage, Role>();
  private readonly values = new Map<Storage, ArrayLike<number>>();
  private readonly partials = new Map<Partial, Storage>();
  private readonly names = new Map<Tensor, string>();
  private readonly scalars: readonly string[];
  private readonly order: Schedule;
  private readonly history: Storage | null;
  private records = MAX_RECORDS;

  constructor(
    private readonly program: Program,
    private readonly outputs: Named,
    private readonly updates: Named,
    private readonly fusion: Fusion,
    private readonly target: Target,
  ) {
    const parameters = program.parameters;
    this.order = schedule(fusion, new Map(updates.map(([name, node]) => [parameters[name] as Tensor, node])));
    this.scalars = outputs.filter(([, node]) => sizeOf(node.shape) === 1).map(([name]) => name);
    for (const [name, node] of [...updates.map(([name, node]) => [`${name}'`, node] as const), ...outputs])
      this.names.set(node, name);
    this.history =
      this.scalars.length > 0
        ? this.add({ name: "history", elements: 0, dtype: "float32", perRecord: this.scalars.length }, "history")
        : null;
    for (const [role, tensors] of [
      ["input", program.inputs],
      ["parameter", parameters],
    ] as const) {
      for (const [name, tensor] of Object.entries(tensors)) {
        this.storages.set(tensor, this.add({ name, elements: sizeOf(tensor.shape), dtype: tensor.dtype }, role));
      }
    }
    for (const [node, parameter] of this.order.inPlace)
      this.storages.set(node, this.storages.get(parameter) as Storage);
    for (const [name, node] of outputs) {
      if (this.storages.has(node) || sizeOf(node.shape) === 1) continue;
      this.storages.set(node, this.add({ name, elements: sizeOf(node.shape), dtype: node.dtype }, "output"));
    }
  }

  plan(): Plan {
    const { fusion, target } = this;
    const scalarNodes = this.outputs.filter(([, node]) => sizeOf(node.shape) === 1);
    const stores: Stores = {
      storageOf: (tensor) => this.storageOf(tensor),
      recordsOf: (tensor) => scalarNodes.flatMap(([, node], i) => (node === tensor ? [i] : [])),
      isStored: (tensor) => fusion.stored.has(tensor) && this.needsMemory(tensor),
      history: this.history,
      recordSize: this.scalars.length,
      partials: (partial, count, tail) => this.partialsOf(partial, count, tail),
    };
    const step = this.order.order.flatMap((group) => lowerGroup(fusion, group, stores, target));
    step.push(...this.copies(stores));
    const tail = fusion.tail === null ? null : lowerCombine(fusion, fusion.tail, stores);
    return this.assemble(step, tail);
  }

  /** Scalars that only the record wants need no buffer of their own. */
  private needsMemory(node: Tensor): boolean {
    if (sizeOf(node.shape) !== 1 || this.storages.has(node)) return true;
    if (this.updates.some(([, update]) => update === node)) return true;
    this.read ??= new Set(this.order.order.flatMap((group) => [...readsOf(this.fusion, group)]));
    return this.read.has(node);
  }
  private read: Set<Tensor> | null = null;

  /** Updates that could not overwrite their parameter were kept aside; now every reader of the old value is done. */
  private copies(stores: Stores): LoweredDispatch[] {
    return this.updates.flatMap(([name, node]) => {
      const parameter = this.program.parameters[name] as Tensor;
      if (this.order.inPlace.get(node) === parameter) return [];
      const copy = copyOf(node);
      const size = sizeOf(node.shape);
      const group: Group = {
        kind: "elementwise",
        size,
        split: null,
        root: null,
        a: null,
        b: null,
        members: [copy],
        partials: [],
        combines: [],
        index: -1,
      };
      const from: Fusion = {
        ...this.fusion,
        home: new Map([[copy, group]]),
        definition: () => ({ kind: "load", dtype: node.dtype, tensor: node, access: { shape: [size], strides: [1] } }),
      };
      const target = this.storageOf(parameter);
      return lowerGroup(
        from,
        group,
        {
          ...stores,
          storageOf: (tensor) => (tensor === copy ? target : this.storageOf(tensor)),
          recordsOf: () => [],
          isStored: () => true,
        },
        this.target,
      );
    });
  }

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
        ? this.add({ name: `constant ${this.roles.size}`, elements, dtype: tensor.dtype }, "constant")
        : this.add(
            { name: this.names.get(tensor) ?? `${tensor.op} ${this.roles.size}`, elements, dtype: tensor.dtype },
            "intermediate",
          );
    if (values !== undefined) this.values.set(made, values);
    this.storages.set(tensor, made);
    return made;
  }

  private partialsOf(partial: Partial, count: number, tail: boolean): Storage {
    const known = this.partials.get(partial);
    if (known !== undefined) return known;
    const name = `${partial.op} ${this.roles.size}`;
    if (tail) this.records = Math.max(MIN_RECORDS, Math.min(this.records, Math.floor(PARTIALS_BYTES / (4 * count))));
    const made: Storage = tail
      ? { name, elements: 0, dtype: "float32", perRecord: count }
      : { name, elements: count, dtype: "float32" };
    this.partials.set(partial, this.add(made, tail ? "partials" : "intermediate"));
    return made;
  }

  private assemble(step: readonly LoweredDispatch[], tail: LoweredDispatch | null): Plan {
    const all = [...step, ...(tail ? [tail] : [])];
    const spans = new Map<Storage, [number, number]>();
    all.forEach(({ bindings }, at) => {
      for (const { storage } of bindings) spans.set(storage, [spans.get(storage)?.[0] ?? at, at]);
    });
    for (const storage of spans.keys()) if (!this.roles.has(storage)) this.roles.set(storage, "intermediate");
    const storages = [...this.roles.keys()].filter(
      (storage) => spans.has(storage) || this.roles.get(storage) !== "intermediate",
    );
    const elementsOf = (storage: Storage) =>
      storage.perRecord === undefined ? storage.elements : storage.perRecord * this.records;
    const { slotOf, slots } = place(
      storages.map((storage) => ({
        bytes: Math.max(4, elementsOf(storage) * 4),
        span: this.roles.get(storage) === "intermediate" ? (spans.get(storage) ?? null) : null,
      })),
    );
    const index = new Map(storages.map((storage, i) => [storage, i]));
    const buffers = storages.map((storage, i): PlanBuffer => {
      const values = this.values.get(storage);
      return {
        name: storage.name,
        role: this.roles.get(storage) ?? "intermediate",
        dtype: storage.dtype,
        elements: elementsOf(storage),
        slot: slotOf[i] as number,
        ...(values && { values }),
      };
    });
    const finish = ({ kernel, bindings, ...rest }: LoweredDispatch): Dispatch => ({
      ...rest,
      kernel: kernel.name,
      source: kernel.source,
      workgroups: kernel.workgroups,
      bindings: bindings.map(({ storage, access }) => ({ buffer: index.get(storage) as number, access })),
    });
    const named = (tensors: Record<string, Tensor>) =>
      Object.fromEntries(
        Object.entries(tensors).map(([name, tensor]) => [name, index.get(this.storageOf(tensor)) as number]),
      );
    return {
      buffers,
      slots,
      step: step.map(finish),
      tail: tail && finish(tail),
      scalars: this.scalars,
      records: this.records,
      history: this.history && (index.get(this.history) as number),
      inputs: named(this.program.inputs),
      parameters: named(this.program.parameters),
      outputs: Object.fromEntries(
        this.outputs
          .filter(([, node]) => sizeOf(node.shape) !== 1)
          .map(([name, node]) => [name, index.get(this.storageOf(node)) as number]),
      ),
      updates: this.updates.map(([name]) => name),
    };
  }
}
