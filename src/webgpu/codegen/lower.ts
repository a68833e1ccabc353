import type { Tensor } from "../../graph/tensor";
import { combineKernel } from "../../kernels/combine";
import { elementwiseKernel } from "../../kernels/elementwise";
import type { KernelText } from "../../kernels/kernel";
import type { PartialSpec } from "../../kernels/partials";

import { declareStepArguments, withStepArguments } from "../../kernels/step-arguments";
import { type OperandSpec, readsVectors } from "../../kernels/tiling";
import { Turns } from "../../kernels/turns";
import {
  type CombineGroup,
  type ContractionGroup,
  combinedBy,
  type Fusion,
  type Group,
  nodesOf,
  productOf,
  shapesOf,
} from "../../plan/group";
import { type Accumulator, begunBy, pointsOf } from "../../plan/nest";
import type { Storage } from "../../plan/storage";
import { opsOf } from "../../plan/work";
import { DeviceError } from "../../util/errors";
import { formatShape } from "../../util/shape";
import { bytesIn, COPY, inRecord, type KernelStores, type LoweredDispatch } from "./dispatch";
import { type ColumnSum, type Kernels, writeProduct } from "./kernel-set";
import { mostTurns, type ProductShape, type Target } from "./plan";
import { Site } from "./site";
import { tilingFor } from "./tiling";
import { viewOperand } from "./view-operand";
import { type Axis, type Index, indexText } from "./wgsl";

/** One dispatch under way: the buffers it binds, by name. */
export class Lowering extends Site {
  private readonly bound: Map<Storage, { name: string; access: "read" | "read_write" }>;
  private readonly vectors: Map<Storage, string>;
  override readonly turns = new Turns();
  usesStepArguments = false;
  /** WGSL of the place in the history that this step records to. */
  step = "stepArguments.x";
  /** WGSL of the number of the program's copy that this is of. */
  copy = COPY;

  constructor(
    readonly fusion: Fusion,
    readonly group: Group,
    readonly stores: KernelStores,
    /** The kernel that this one is a part of, where it has no dispatch of its own. */
    host?: Lowering,
  ) {
    super();
    this.bound = host?.bound ?? new Map();
    this.vectors = host?.vectors ?? new Map();
  }

  override load(tensor: Tensor, index: Index): string {
    return `${this.bind(this.stores.storageOf(tensor), "read")}[${indexText(index)}]`;
  }

  bind(storage: Storage, access: "read" | "read_write", copy = this.copy): string {
    const known = this.bound.get(storage);
    if (known === undefined) {
      const name = this.nameFor(storage);
      this.bound.set(storage, { name, access });
      return this.own(storage, name, copy);
    }
    if (access === "read_write") known.access = "read_write";
    return this.own(storage, known.name, copy);
  }

  /** WGSL of what a copy has of a buffer. */
  private own(storage: Storage, name: string, copy: string): string {
    return this.apart(storage) ? `${name}[${copy}]` : name;
  }

  /** Whether each copy has elements of its own that lie together; records have all copies' in each. */
  private apart({ shared, perRecord }: Storage): boolean {
    return this.stores.copies > 1 && !shared && perRecord === undefined;
  }

  /** The name of a buffer that the main function reads four elements at a time. */
  bindVectors(storage: Storage): string {
    const name = this.vectors.get(storage) ?? this.nameFor(storage);
    this.vectors.set(storage, name);
    return this.own(storage, name, COPY);
  }

  private nameFor(storage: Storage): string {
    // However long a user's name is, a kernel's text is not.
    const base = `_${storage.name.replace(/[^A-Za-z0-9]+/g, "_")}`.replace(/^__+/, "_").slice(0, 40);
    const taken = new Set([...[...this.bound.values()].map(({ name }) => name), ...this.vectors.values()]);
    let name = `b${base}`;
    for (let i = 2; taken.has(name); i++) name = `b${base}_${i}`;
    return name;
  }

  override assign(tensor: Tensor, index: Index, value: string): string {
    return `${this.bind(this.stores.storageOf(tensor), "read_write")}[${indexText(index)}] = ${value};`;
  }

  override record(place: number, value: string): string {
    if (this.stores.history === null) throw new Error("internal: a record without a history");
    const name = this.bind(this.stores.history, "read_write");
    this.usesStepArguments ||= this.step === "stepArguments.x";
    return `${name}[${inRecord(this.stores, this.step, this.stores.recordSize, this.copy)} + ${place}u] = ${value};`;
  }

  override variableOf({ node }: Accumulator): string {
    return `partial${this.group.partials.findIndex((partial) => partial.node === node)}`;
  }

  /** What the kernel begins, and where it leaves it. */
  partialSpecs(): PartialSpec[] {
    return this.group.partials.map((partial, i) => {
      const into = begunBy(this.group, partial);
      const deferred = this.fusion.home.get(partial.node) === this.fusion.deferred;
      if (deferred) this.usesStepArguments = true;
      return {
        op: partial.op,
        variable: this.variableOf(into),
        buffer: `partials${i}`,
        offset: (count) => {
          if (deferred) return inRecord(this.stores, this.step, count, this.copy);
          return this.stores.copies > 1 ? `${this.copy} * ${count}u` : "0u";
        },
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
    const typeOf = (storage: Storage, width = 1) => {
      const { dtype, elements, perRecord } = storage;
      const type = width > 1 ? "vec4f" : dtype === "int32" ? "i32" : "f32";
      const one = perRecord === undefined ? `${type}, ${elements / width}` : type;
      return this.apart(storage) ? `array<${one}>, ${this.stores.copies}` : one;
    };
    const bound = [
      ...[...this.bound].map(([storage, { name, access }]) => ({ storage, name, access, type: typeOf(storage) })),
      ...[...this.vectors].map(
        ([storage, name]) => ({ storage, name, access: "read", type: typeOf(storage, 4) }) as const,
      ),
    ];
    const lines = bound.map(({ name, access, type }, i) => declare(name, access, type, i));
    for (const { buffer } of this.partialSpecs()) lines.push(declare(buffer, "read_write", "f32", lines.length));
    const stepArguments = this.usesStepArguments ? this.stores.stepArguments : null;
    if (stepArguments) lines.push(declareStepArguments("stepArguments", lines.length, stepArguments));
    const text = make(lines.map((line) => `${line}\n`).join(""));
    const bindings: LoweredDispatch["bindings"] = [
      ...bound.map(({ storage, access }) => ({ storage, access })),
      // As many as the kernel has threads or workgroups, which is known only now.
      ...this.group.partials.map((partial) => ({
        storage: this.stores.partials(
          partial,
          text.partials,
          this.fusion.home.get(partial.node) === this.fusion.deferred,
        ),
        access: "read_write" as const,
      })),
    ];
    const bytes = bindings.reduce(
      (sum, { storage, access }) => sum + bytesIn(this.stores, storage) * (access === "read" ? 1 : 2),
      0,
    );
    const kernel = { ...text, source: withStepArguments(text.source, stepArguments) };
    return { kernel, bindings, stepArguments, bytes, ...about, flops: this.stores.copies * about.flops };
  }
}

export const WORKGROUP = 64;

/** The dispatches of one kernel and of what it carries along: one, or two where its work is split. */
export function lowerGroup(
  fusion: Fusion,
  group: Group,
  stores: KernelStores,
  target: Target,
  kernels: Kernels,
  columnSum?: ColumnSum,
): LoweredDispatch[] {
  const dispatches = (() => {
    switch (group.kind) {
      case "map":
        return [lowerMap(fusion, group, stores, target)];
      case "contraction":
        return lowerContraction(fusion, group, stores, target, kernels, columnSum);
      case "reduction":
        if (kernels.rows === null) throw new Error("internal: nothing writes reductions");
        return [kernels.rows(fusion, group, stores, target)];
      case "scatter":
        if (kernels.scatter === null) throw new Error("internal: nothing writes scatters");
        return kernels.scatter.lowerScatter(fusion, group, stores, target);
      case "combine":
        return [lowerCombine(fusion, group, stores, target)];
      case "scan":
        if (!kernels.scan) throw new Error("internal: nothing lowers scans");
        return kernels.scan.lowerScan(fusion, group, stores, target, kernels);
      default:
        return group satisfies never;
    }
  })();
  for (const { kernel, bindings, label } of dispatches) {
    if (kernel.turns > mostTurns(target)) {
      throw new DeviceError(
        `compile: ${label} needs ${kernel.turns} turns of its loops in one thread, and this adapter ends them after ${mostTurns(target)}; ${group.kind === "scan" ? "scan over fewer steps, or smaller ones" : "reduce shorter axes, or several one after another"}`,
      );
    }
    for (const { storage } of bindings) {
      const bytes = bytesIn(stores, storage);
      if (bytes > target.maxBindingBytes) {
        throw new DeviceError(
          `compile: "${storage.name}" in ${label} needs ${bytes} bytes in one binding, this device binds at most ${target.maxBindingBytes}; use smaller batches or layers${stores.copies > 1 ? `, or fewer copies than ${stores.copies}` : ""}`,
        );
      }
    }
  }
  return dispatches;
}

export function labelOf(group: Group): string {
  if (group.kind === "scan") return "scan";
  const names = nodesOf(group).map(({ op }) => op);
  const partials = group.partials.map(({ op }) => `${op} begun`);
  const ended = combinedBy(group).map(({ op }) => op);
  const all = [...ended, ...names, ...partials];
  return all.length > 12 ? `${all.slice(0, 12).join(" ")} … (${all.length})` : all.join(" ");
}

/** The buffer that a kernel is known by: the last thing it leaves. */
export function outputOf(group: Group, stores: KernelStores): string {
  const kept = nodesOf(group).filter((node) => stores.isStored(node));
  const last = kept[kept.length - 1];
  if (last) return stores.storageOf(last).name;
  const begun = group.partials[0];
  return begun ? `${begun.op} of ${formatShape(begun.value.shape)}` : "record";
}

function lowerMap(fusion: Fusion, group: Group, stores: KernelStores, target: Target): LoweredDispatch {
  const lowering = new Lowering(fusion, group, stores);
  const body = lowering.at("i", [], pointsOf(fusion, group, stores));
  const partials = lowering.partialSpecs();
  const workgroupSize = Math.min(target.software ? 16 : WORKGROUP * 4, target.maxWorkgroupSize);
  return lowering.finish(
    (bindings) =>
      elementwiseKernel({
        size: group.size,
        workgroupSize,
        bindings,
        body,
        partials,
        maxTurns: mostTurns(target),
      }),
    { label: labelOf(group), output: outputOf(group, stores), shapes: "", flops: opsOf(fusion, group) * group.size },
  );
}

function lowerContraction(
  fusion: Fusion,
  group: ContractionGroup,
  stores: KernelStores,
  target: Target,
  kernels: Kernels,
  columnSum?: ColumnSum,
): LoweredDispatch[] {
  const { root, a, b, batch, M, N, K, transposed } = productOf(group);
  const views = { a: a.kind === "view", b: b.kind === "view" };
  const size: ProductShape = {
    ...{ M, N, K, transposed },
    ...(batch > 1 ? { batch } : {}),
    ...(views.a || views.b ? { views } : {}),
  };
  const tiling = tilingFor(size, target, kernels);
  const shapes = shapesOf(group);
  const product = (
    lowering: Lowering,
    epilogue: readonly string[],
    partials: readonly PartialSpec[],
    columns: readonly string[] = [],
  ) => {
    const vectors = readsVectors(size, tiling, size.transposed);
    const operand = (name: "a" | "b", rows: Axis, columns: Axis): OperandSpec => {
      const read = name === "a" ? a : b;
      if (read.kind === "view") {
        return viewOperand(lowering, `${name}At`, read.expression, { name: "batch", length: batch }, [rows, columns]);
      }
      const storage = stores.storageOf(read.tensor);
      const buffer = vectors[name] ? lowering.bindVectors(storage) : lowering.bind(storage, "read", COPY);
      const batchStride = read.repeated ? 0 : rows.length * columns.length;
      return { name: buffer, batchStride, vectors: vectors[name], separate: false, text: "" };
    };
    const names = {
      a: operand("a", { name: "row", length: M }, { name: "k", length: K }),
      b: operand("b", { name: "k", length: K }, { name: "column", length: N }),
    };
    return (bindings: string) =>
      writeProduct(kernels.products, {
        batch,
        copies: stores.copies > 1,
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
        columns,
      });
  };
  const about = { label: labelOf(group), output: outputOf(group, stores), product: size };
  const elements = group.size;
  const flops = 2 * elements * K;
  const after = opsOf(fusion, group) * elements;
  // Operands in memory are read by the main function; what follows a sum, and views, are functions of their own.
  const lower = (group: Group, host?: Lowering) => {
    const lowering = new Lowering(fusion, group, stores, host);
    lowering.copy = "copy";
    return lowering;
  };
  const lowering = lower(group);
  const epilogue = (axes: readonly Axis[]) =>
    lowering.at("i", axes, pointsOf(fusion, group, stores), [[root, "value"]]);

  if (tiling.splits === 1) {
    const statements = epilogue([
      ...(batch > 1 ? [{ name: "batch", length: batch }] : []),
      { name: "row", length: M },
      { name: "column", length: N },
    ]);
    const columns = columnSum
      ? lower(columnSum.group, lowering).at(
          "i",
          [],
          columnSum.after,
          columnSum.after.given.map((node) => [node, "columnSum"]),
          "c",
        )
      : [];
    const make = product(lowering, statements, lowering.partialSpecs(), columns);
    const label = columnSum ? `${about.label}; ${labelOf(columnSum.group)}` : about.label;
    const carried = columnSum ? opsOf(fusion, columnSum.group) * columnSum.group.size : 0;
    return [lowering.finish(make, { ...about, label, shapes, flops: flops + after + carried })];
  }

  // Split along K: each part leaves its own sums, and a second kernel adds them up and goes on.
  const parts: Storage = { name: `parts of ${about.output}`, elements: tiling.splits * elements, dtype: "float32" };
  const first = lower({ ...group, members: [], partials: [] });
  const partsName = first.bind(parts, "read_write");
  const split = first.finish(
    product(first, [`${partsName}[split * (${batch === 1 ? "" : `${batch}u * `}M * N) + i] = value;`], []),
    {
      label: "matmul, split along K",
      output: parts.name,
      shapes,
      flops,
      product: size,
    },
  );
  lowering.copy = COPY;
  const name = lowering.bind(parts, "read");
  const statements = epilogue([]);
  const sum = [
    "var value = 0.0;",
    `for (var s = 0u; s < ${tiling.splits}u; s++) { value += ${name}[s * ${elements}u + i]; }`,
  ];
  const partials = lowering.partialSpecs();
  const workgroupSize = Math.min(target.software ? 16 : WORKGROUP, target.maxWorkgroupSize);
  const join = lowering.finish(
    (bindings) =>
      elementwiseKernel({
        size: group.size,
        workgroupSize,
        bindings,
        body: [...sum, ...statements],
        partials,
        bodyTurns: tiling.splits + 1,
        maxTurns: mostTurns(target),
      }),
    { ...about, label: `parts added, ${about.label}`, shapes: "", flops: after + tiling.splits * elements },
  );
  return [split, join];
}

export function lowerCombine(
  fusion: Fusion,
  group: CombineGroup,
  stores: KernelStores,
  target: Target,
): LoweredDispatch {
  const deferred = group === fusion.deferred;
  const lowering = new Lowering(fusion, group, stores);
  // For deferred scalars a workgroup's place is its record; in a step there is one workgroup, and the record is the step's.
  if (deferred) lowering.step = "place";
  const reductions = group.combines.map((partial, i) => {
    // Made before: the kernel that begins a reduction comes first.
    const storage = stores.partials(partial, 0, deferred);
    return {
      op: partial.op,
      buffer: lowering.bind(storage, "read"),
      count: storage.perRecord ?? storage.elements,
      first: deferred
        ? inRecord(stores, "place", storage.perRecord ?? 0)
        : `place * ${storage.perRecord ?? storage.elements}u`,
      variable: `total${i}`,
    };
  });
  const totals = group.combines.map(({ node }, i) => [node, reductions[i]?.variable ?? ""] as const);
  const body = lowering.at(0, [], pointsOf(fusion, group, stores), totals);
  const lanes = target.software ? 4 : WORKGROUP;
  return lowering.finish(
    (bindings) =>
      combineKernel({
        bindings,
        lanes,
        maxLanes: Math.min(256, target.maxWorkgroupSize),
        maxTurns: mostTurns(target),
        reductions,
        body,
      }),
    {
      label: labelOf(group),
      output: outputOf(group, stores),
      shapes: "",
      flops: reductions.reduce((sum, { count }) => sum + count, 0),
    },
  );
}
