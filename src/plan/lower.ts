import type { Tensor } from "../graph/tensor";
import { combineKernel } from "../kernels/combine";
import { elementwiseKernel } from "../kernels/elementwise";
import type { KernelText } from "../kernels/kernel";
import { matmulKernel, readsVectors } from "../kernels/matmul";
import type { PartialSpec } from "../kernels/partials";
import { rowsKernel } from "../kernels/rows";
import { declareSlot, type Slot, withSlot } from "../kernels/slot";
import { DeviceError } from "../util/errors";
import { formatShape } from "../util/shape";
import { countOps, isInlinable } from "./expression";
import type { Fusion, Group, Partial } from "./group";
import type { ProductShape, Target, WholeStep } from "./plan";
import { rowsBody } from "./rows";
import { expressionsOf } from "./schedule";
import { asFloat, Site } from "./site";
import { lanesFor, tilingFor } from "./tiling";
import { type Axis, Body } from "./wgsl";

/** A buffer before it has a place in memory. */
export interface Storage {
  readonly name: string;
  readonly elements: number;
  readonly dtype: Tensor["dtype"];
  /** Partial results of the tail: how many of the elements belong to one record. */
  readonly perRecord?: number;
}

/** A dispatch whose bindings are storages. */
export interface LoweredDispatch {
  readonly kernel: KernelText;
  readonly label: string;
  readonly bindings: readonly { readonly storage: Storage; readonly access: "read" | "read_write" }[];
  readonly slot: Slot | null;
  readonly flops: number;
  readonly bytes: number;
  readonly output: string;
  readonly shapes: string;
  readonly product?: ProductShape;
  readonly whole?: WholeStep;
}

/** Where a kernel's values go; shared by all kernels of a plan. */
export interface Stores {
  /** The buffer of a node or leaf in memory. */
  storageOf(tensor: Tensor): Storage;
  /** The places in a record that a scalar output has. */
  recordsOf(tensor: Tensor): readonly number[];
  /** Whether the node must be in memory after its kernel. */
  isStored(tensor: Tensor): boolean;
  readonly history: Storage | null;
  /** How kernels are told the record of their step. */
  readonly slot: Slot;
  /** Scalars in a record. */
  readonly recordSize: number;
  /** The partial results of a reduction, made when the kernel that leaves them is known. */
  partials(partial: Partial, count: number, tail: boolean): Storage;
}

/** One dispatch under way: the buffers it binds, by name. */
export class Lowering extends Site {
  private readonly bound = new Map<Storage, { name: string; access: "read" | "read_write" }>();
  private readonly vectors = new Map<Storage, string>();
  usesSlot = false;
  /** WGSL of the place in the history that this step records to. */
  record = "slot.x";

  constructor(
    fusion: Fusion,
    group: Group,
    readonly stores: Stores,
  ) {
    super(fusion, group);
  }

  override load(tensor: Tensor, index: string): string {
    return `${this.bind(this.stores.storageOf(tensor), "read")}[${index}]`;
  }

  bind(storage: Storage, access: "read" | "read_write"): string {
    const known = this.bound.get(storage);
    if (known === undefined) {
      const name = this.nameFor(storage);
      this.bound.set(storage, { name, access });
      return name;
    }
    if (access === "read_write") known.access = "read_write";
    return known.name;
  }

  /** The name of a buffer read four elements at a time. */
  bindVectors(storage: Storage): string {
    const known = this.vectors.get(storage);
    if (known !== undefined) return known;
    const name = this.nameFor(storage);
    this.vectors.set(storage, name);
    return name;
  }

  private nameFor(storage: Storage): string {
    const base = `_${storage.name.replace(/[^A-Za-z0-9]+/g, "_")}`.replace(/^__+/, "_");
    const taken = new Set([...[...this.bound.values()].map(({ name }) => name), ...this.vectors.values()]);
    let name = `b${base}`;
    for (let i = 2; taken.has(name); i++) name = `b${base}_${i}`;
    return name;
  }

  override stored(node: Tensor, index: string, value: string): string[] {
    const lines: string[] = [];
    for (const place of this.stores.recordsOf(node)) {
      if (this.stores.history === null) throw new Error("internal: a record without a history");
      const name = this.bind(this.stores.history, "read_write");
      this.usesSlot ||= this.record === "slot.x";
      lines.push(`${name}[${this.record} * ${this.stores.recordSize}u + ${place}u] = ${asFloat(node, value)};`);
    }
    if (this.stores.isStored(node))
      lines.push(`${this.bind(this.stores.storageOf(node), "read_write")}[${index}] = ${value};`);
    return lines;
  }

  override partialSpecs(): PartialSpec[] {
    return this.group.partials.map(({ node, op }, i) => {
      const tail = this.fusion.home.get(node) === this.fusion.tail;
      if (tail) this.usesSlot = true;
      return {
        op,
        variable: `partial${i}`,
        buffer: `partials${i}`,
        offset: (count) => (tail ? `${this.record} * ${count}u` : "0u"),
      };
    });
  }

  /** The finished dispatch. `make` is called with the text of the bindings. */
  finish(
    make: (bindings: string) => KernelText,
    about: { label: string; output: string; shapes: string; flops: number; product?: ProductShape },
  ): LoweredDispatch {
    const declare = (name: string, access: string, type: string, i: number) =>
      `@group(0) @binding(${i}) var<storage, ${access}> ${name}: array<${type}>;`;
    // A known length is a constant to what tests indices; the length of what has room for records is known only later.
    const typeOf = ({ dtype, elements, perRecord }: Storage, width = 1) => {
      const type = width > 1 ? "vec4f" : dtype === "int32" ? "i32" : "f32";
      return perRecord === undefined ? `${type}, ${elements / width}` : type;
    };
    const bound = [
      ...[...this.bound].map(([storage, { name, access }]) => ({ storage, name, access, type: typeOf(storage) })),
      ...[...this.vectors].map(
        ([storage, name]) => ({ storage, name, access: "read", type: typeOf(storage, 4) }) as const,
      ),
    ];
    const lines = bound.map(({ name, access, type }, i) => declare(name, access, type, i));
    for (const { buffer } of this.partialSpecs()) lines.push(declare(buffer, "read_write", "f32", lines.length));
    const slot = this.usesSlot ? this.stores.slot : null;
    if (slot) lines.push(declareSlot("slot", lines.length, slot));
    const text = make([...lines, ...this.declarations].map((line) => `${line}\n`).join(""));
    const bindings: LoweredDispatch["bindings"] = [
      ...bound.map(({ storage, access }) => ({ storage, access })),
      // As many as the kernel has threads or workgroups, which is known only now.
      ...this.group.partials.map((partial) => ({
        storage: this.stores.partials(partial, text.partials, this.fusion.home.get(partial.node) === this.fusion.tail),
        access: "read_write" as const,
      })),
    ];
    const bytes = bindings.reduce(
      (sum, { storage, access }) => sum + storage.elements * 4 * (access === "read" ? 1 : 2),
      0,
    );
    const kernel = { ...text, source: withSlot(text.source, slot) };
    return { kernel, bindings, slot, bytes, ...about };
  }
}

const WORKGROUP = 64;

/** The dispatches of one kernel: one, or two where its work is split. */
export function lowerGroup(fusion: Fusion, group: Group, stores: Stores, target: Target): LoweredDispatch[] {
  const dispatches = (() => {
    switch (group.kind) {
      case "elementwise":
        return [lowerElementwise(fusion, group, stores, target)];
      case "matmul":
        return lowerMatmul(fusion, group, stores, target);
      case "rows":
        return [lowerRows(fusion, group, stores, target)];
      case "combine":
        return [lowerCombine(fusion, group, stores, target)];
      default:
        return group.kind satisfies never;
    }
  })();
  for (const { bindings, label } of dispatches) {
    for (const { storage } of bindings) {
      if (storage.elements * 4 > target.maxBindingBytes) {
        throw new DeviceError(
          `compile: "${storage.name}" in ${label} needs ${storage.elements * 4} bytes in one binding, this device binds at most ${target.maxBindingBytes}; use smaller batches or layers`,
        );
      }
    }
  }
  return dispatches;
}

export function labelOf(group: Group): string {
  const names = [group.root, ...group.members].filter((node): node is Tensor => node !== null).map(({ op }) => op);
  const partials = group.partials.map(({ op }) => `${op} begun`);
  const ended = group.combines.map(({ op }) => op);
  const all = [...ended, ...names, ...partials];
  return all.length > 12 ? `${all.slice(0, 12).join(" ")} … (${all.length})` : all.join(" ");
}

export function opsOf(fusion: Fusion, group: Group): number {
  return (
    countOps(expressionsOf(fusion, group)) +
    group.members.filter((node) => !isInlinable(node)).length +
    group.partials.length
  );
}

/** The buffer that a kernel is known by: the last thing it leaves. */
function outputOf(group: Group, stores: Stores): string {
  const kept = [group.root, ...group.members].filter((node): node is Tensor => node !== null && stores.isStored(node));
  const last = kept[kept.length - 1];
  if (last) return stores.storageOf(last).name;
  const begun = group.partials[0];
  return begun ? `${begun.op} of ${formatShape(begun.value.shape)}` : "record";
}

function lowerElementwise(fusion: Fusion, group: Group, stores: Stores, target: Target): LoweredDispatch {
  const lowering = new Lowering(fusion, group, stores);
  const values = new Map<Tensor, string>();
  const body = new Body(lowering.point("i", [], values), "v", lowering.declarations);
  const after = lowering.epilogue(body, values, "i");
  const partials = lowering.partialSpecs();
  const workgroupSize = Math.min(target.software ? 16 : WORKGROUP * 4, target.maxWorkgroupSize);
  return lowering.finish(
    (bindings) =>
      elementwiseKernel({ size: group.size, workgroupSize, bindings, body: [...body.lines, ...after], partials }),
    { label: labelOf(group), output: outputOf(group, stores), shapes: "", flops: opsOf(fusion, group) * group.size },
  );
}

function lowerMatmul(fusion: Fusion, group: Group, stores: Stores, target: Target): LoweredDispatch[] {
  const { root, a, b } = group;
  if (root === null || a === null || b === null) throw new Error("internal: a product without operands");
  const [M, N] = root.shape as readonly [number, number];
  const K = (root.operands[0] as Tensor).shape[1] as number;
  const size: ProductShape = { M, N, K, transposed: { a: a.transposed, b: b.transposed } };
  const tiling = tilingFor(size, target);
  const shapes = `[${M}, ${K}]${a.transposed ? "ᵀ" : ""} x [${K}, ${N}]${b.transposed ? "ᵀ" : ""}`;
  const product = (lowering: Lowering, epilogue: readonly string[], partials: readonly PartialSpec[]) => {
    const vectors = readsVectors(size, tiling, size.transposed);
    const operand = (tensor: Tensor, inVectors: boolean) =>
      inVectors ? lowering.bindVectors(stores.storageOf(tensor)) : lowering.bind(stores.storageOf(tensor), "read");
    const names = {
      a: operand(a.tensor, vectors.a),
      b: operand(b.tensor, vectors.b),
      aVectors: vectors.a,
      bVectors: vectors.b,
    };
    return (bindings: string) =>
      matmulKernel({
        M,
        N,
        K,
        aTransposed: a.transposed,
        bTransposed: b.transposed,
        tiling,
        bindings,
        ...names,
        epilogue,
        partials,
      });
  };
  const about = { label: labelOf(group), output: outputOf(group, stores), product: size };
  const flops = 2 * M * N * K;
  const after = opsOf(fusion, group) * M * N;
  const lowering = new Lowering(fusion, group, stores);
  const values = new Map<Tensor, string>([[root, "value"]]);
  const body = (index: readonly Axis[]) => new Body(lowering.point("i", index, values), "v", lowering.declarations);

  if (tiling.splits === 1) {
    const statements = body([
      { name: "row", length: M },
      { name: "column", length: N },
    ]);
    const end = lowering.epilogue(statements, values, "i");
    const make = product(lowering, [...statements.lines, ...end], lowering.partialSpecs());
    return [lowering.finish(make, { ...about, shapes, flops: flops + after })];
  }

  // Split along K: each part leaves its own sums, and a second kernel adds them up and goes on.
  const parts: Storage = { name: `parts of ${about.output}`, elements: tiling.splits * M * N, dtype: "float32" };
  const first = new Lowering(fusion, { ...group, members: [], partials: [] }, stores);
  const partsName = first.bind(parts, "read_write");
  const split = first.finish(product(first, [`${partsName}[split * (M * N) + i] = value;`], []), {
    label: "matmul, split along K",
    output: parts.name,
    shapes,
    flops,
    product: size,
  });
  const name = lowering.bind(parts, "read");
  const statements = body([]);
  const end = lowering.epilogue(statements, values, "i");
  const sum = [
    "var value = 0.0;",
    `for (var s = 0u; s < ${tiling.splits}u; s++) { value += ${name}[s * ${M * N}u + i]; }`,
  ];
  const partials = lowering.partialSpecs();
  const workgroupSize = Math.min(target.software ? 16 : WORKGROUP, target.maxWorkgroupSize);
  const join = lowering.finish(
    (bindings) =>
      elementwiseKernel({
        size: group.size,
        workgroupSize,
        bindings,
        body: [...sum, ...statements.lines, ...end],
        partials,
      }),
    { ...about, label: `parts added, ${about.label}`, shapes: "", flops: after + tiling.splits * M * N },
  );
  return [split, join];
}

function lowerRows(fusion: Fusion, group: Group, stores: Stores, target: Target): LoweredDispatch {
  const { split } = group;
  if (split === null) throw new Error("internal: rows without a split");
  const lowering = new Lowering(fusion, group, stores);
  const lanes = lanesFor(split.length, split.outer * split.inner, target);
  const workgroupSize = Math.min(Math.max(lanes, target.software ? 4 : WORKGROUP), target.maxWorkgroupSize);
  const { lines, usesArgmax } = rowsBody(lowering, { ...split, lanes, rowsPerGroup: workgroupSize / lanes });
  const partials = lowering.partialSpecs();
  return lowering.finish(
    (bindings) => rowsKernel({ ...split, lanes, workgroupSize, bindings, body: lines, partials, usesArgmax }),
    {
      label: labelOf(group),
      output: outputOf(group, stores),
      shapes: `[${split.outer}, ${split.length}, ${split.inner}]`,
      flops: opsOf(fusion, group) * group.size,
    },
  );
}

export function lowerCombine(fusion: Fusion, group: Group, stores: Stores, target: Target): LoweredDispatch {
  const tail = group === fusion.tail;
  const lowering = new Lowering(fusion, group, stores);
  // In the tail a workgroup's place is its record; in a step there is one workgroup, and the record is the step's.
  if (tail) lowering.record = "place";
  const values = new Map<Tensor, string>();
  const reductions = group.combines.map((partial, i) => {
    // Made before: the kernel that begins a reduction comes first.
    const storage = stores.partials(partial, 0, tail);
    values.set(partial.node, `total${i}`);
    return {
      op: partial.op,
      buffer: lowering.bind(storage, "read"),
      count: storage.perRecord ?? storage.elements,
      variable: `total${i}`,
    };
  });
  const body = new Body(lowering.point("0u", [], values), "v", lowering.declarations);
  const stored = group.combines.flatMap(({ node }) => lowering.stored(node, "0u", values.get(node) as string));
  stored.push(...lowering.epilogue(body, values, "0u"));
  const lanes = target.software ? 4 : WORKGROUP;
  return lowering.finish(
    (bindings) => combineKernel({ bindings, lanes, reductions, body: [...body.lines, ...stored] }),
    {
      label: labelOf(group),
      output: outputOf(group, stores),
      shapes: "",
      flops: reductions.reduce((sum, { count }) => sum + count, 0),
    },
  );
}
