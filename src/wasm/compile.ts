import { rowOf } from "../graph/ops";
import type { Program } from "../graph/program";
import { literalOf, Tensor } from "../graph/tensor";
import { fuse } from "../plan/fuse";
import type { Fusion, Group } from "../plan/group";
import { readsOf, type Schedule, schedule } from "../plan/schedule";
import { simplify } from "../plan/simplify";
import { DeviceError } from "../util/errors";
import { sizeOf } from "../util/shape";
import { about, type KernelAbout } from "./about";
import { copying, stepping } from "./calls";
import { emitGroup, type Scratch } from "./emit";
import { encodeModule, type ModuleFunction } from "./encoder";
import { Kernel, type Places } from "./kernel";
import { type Buffer, Layout } from "./layout";
import { FunctionBody } from "./scope";
import { asShort, matricesOf } from "./short-products";
import { packedBytes } from "./tiles";

/** A program as one WebAssembly module: `step(n)` runs n steps and leaves a record of its scalars for each. */
export interface Compiled {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sizeBytes: number;
  readonly kernels: readonly KernelAbout[];
  readonly buffers: readonly Buffer[];
  readonly constants: readonly { readonly buffer: Buffer; readonly values: ArrayLike<number> }[];
  readonly inputs: ReadonlyMap<string, Buffer>;
  readonly parameters: ReadonlyMap<string, Buffer>;
  /** Outputs that are not scalar. */
  readonly outputs: ReadonlyMap<string, Buffer>;
  /** Scalar outputs, in the order in which a record holds them. */
  readonly scalars: readonly string[];
  readonly history: Buffer;
  /** Records that the history has room for: the most steps of one call. */
  readonly records: number;
}

const HISTORY_BYTES = 2 ** 18;
const MAX_BYTES = 2 ** 32 - 2 ** 16;
/** The instructions know no limit to the buffers that a kernel reads. */
const LIMITS = { maxBuffers: 64 };

type Named = readonly (readonly [string, Tensor])[];

/** Throws DeviceError, with both numbers, where a program needs more memory than WebAssembly can address. */
export function compile(program: Program, relaxed: boolean): Compiled {
  const results = simplify([...Object.values(program.outputs), ...Object.values(program.updates ?? {})]);
  // What would still be a leaf is copied: a result has memory of its own.
  const own = (tensors: Record<string, Tensor>) =>
    Object.entries(tensors).map(([name, tensor]) => {
      const node = results.get(tensor) as Tensor;
      return [name, node.operands.length === 0 ? new Tensor("reshape", [node], node.shape, node.dtype) : node] as const;
    });
  const outputs = own(program.outputs);
  const updates = own(program.updates ?? {});
  const fusion = fuse(
    outputs.map(([, node]) => node),
    updates.map(([name, node]) => ({ parameter: program.parameters[name] as Tensor, node })),
    LIMITS,
  );
  return new Compiler(program, outputs, updates, fusion, relaxed).compile();
}

class Compiler {
  private readonly layout = new Layout();
  private readonly order: Schedule;
  private readonly groups: readonly Group[];
  private readonly read: ReadonlySet<Tensor>;
  private readonly scalars: readonly (readonly [string, Tensor])[];
  private readonly constants: { buffer: Buffer; values: ArrayLike<number> }[] = [];
  private readonly scratch = new Map<Group, Record<keyof Scratch, Buffer | null>>();

  constructor(
    private readonly program: Program,
    private readonly outputs: Named,
    private readonly updates: Named,
    private readonly fusion: Fusion,
    private readonly relaxed: boolean,
  ) {
    const { parameters } = program;
    this.order = schedule(fusion, new Map(updates.map(([name, node]) => [parameters[name] as Tensor, node])));
    this.groups = [...this.order.order, ...(fusion.tail ? [fusion.tail] : [])];
    this.read = new Set(this.order.order.flatMap((group) => [...readsOf(fusion, group)]));
    this.scalars = outputs.filter(([, node]) => sizeOf(node.shape) === 1);
  }

  compile(): Compiled {
    const { program, layout, fusion } = this;
    const named = (tensors: Record<string, Tensor>, role: "input" | "parameter") =>
      new Map(
        Object.entries(tensors).map(([name, tensor]) => {
          const buffer = layout.add(name, role, sizeOf(tensor.shape), tensor.dtype);
          layout.assign(tensor, buffer);
          return [name, buffer] as const;
        }),
      );
    const inputs = named(program.inputs, "input");
    const parameters = named(program.parameters, "parameter");
    const outputs = new Map<string, Buffer>();
    const copies: { from: Buffer; to: Buffer }[] = [];
    for (const [name, node] of this.outputs) {
      if (sizeOf(node.shape) === 1) continue;
      const shared = [...outputs.values()].find((buffer) => buffer === layout.find(node));
      const buffer = shared ?? layout.add(name, "output", sizeOf(node.shape), node.dtype);
      outputs.set(name, buffer);
      if (!this.order.inPlace.has(node)) layout.assign(node, buffer);
    }
    for (const [node, parameter] of this.order.inPlace) layout.assign(node, layout.find(parameter) as Buffer);
    for (const [name, node] of this.updates) {
      if (this.order.inPlace.get(node) === program.parameters[name]) continue;
      copies.push({ from: this.bufferOf(node, `${name}'`), to: parameters.get(name) as Buffer });
    }
    for (const [name, node] of this.outputs) {
      const to = outputs.get(name);
      const from = layout.find(node);
      if (to && from && from !== to) copies.push({ from, to });
    }
    const recordBytes = 4 * Math.max(1, this.scalars.length);
    const records = this.scalars.length === 0 ? 2 ** 20 : Math.max(1, Math.floor(HISTORY_BYTES / recordBytes));
    const history = layout.add("history", "history", this.scalars.length === 0 ? 1 : records * this.scalars.length);

    for (const [at, group] of this.groups.entries()) this.live(group, at);
    for (const { from } of copies) layout.touch(from, this.groups.length);
    layout.settle();
    if (layout.sizeBytes > MAX_BYTES) {
      throw new DeviceError(
        `compile: the program needs ${layout.sizeBytes} bytes, WebAssembly addresses at most ${MAX_BYTES}; use smaller batches or layers`,
      );
    }

    const places: Places = {
      sizeBytes: layout.sizeBytes,
      addressOf: (tensor) => this.bufferOf(tensor).address,
      isStored: (tensor) => this.isStored(tensor),
      recordsOf: (tensor) => this.scalars.flatMap(([, node], i) => (node === tensor ? [4 * i] : [])),
      partialAddress: (partial) => (layout.find(partial) as Buffer).address,
    };
    const functions = this.groups.map((group, i): ModuleFunction => {
      const f = new FunctionBody(0, this.relaxed);
      const scratch = this.scratch.get(group);
      emitGroup(new Kernel(f, fusion, group, places), {
        c: scratch?.c?.address ?? null,
        panels: scratch?.panels?.address ?? 0,
        left: scratch?.left?.address ?? 0,
      });
      return { parameters: 0, locals: f.locals, bytes: f.root.bytes, name: `k${i}` };
    });
    const kernels = this.groups.map((group) => {
      const nodes = this.nodesOf(group);
      return about(group, nodes, {
        reads: [...readsOf(this.fusion, group)].map((tensor) => this.bufferOf(tensor)),
        writes: nodes.filter((node) => this.isStored(node)).map((node) => this.bufferOf(node)),
        records: this.scalars.filter(([, node]) => nodes.includes(node)).map(([name]) => name),
      });
    });
    if (copies.length > 0) {
      functions.push(copying(copies, `k${functions.length}`));
      kernels.push({
        kind: "copy",
        label: "updates and outputs in their places",
        shapes: "",
        reads: copies.map(({ from }) => from),
        writes: copies.map(({ to }) => to),
        records: [],
        flops: 0,
      });
    }
    functions.push(stepping(functions.length, history.address, this.scalars.length * 4));
    return {
      bytes: encodeModule(layout.sizeBytes, history.address, functions),
      sizeBytes: layout.sizeBytes,
      kernels,
      buffers: layout.buffers,
      constants: this.constants,
      inputs,
      parameters,
      outputs,
      scalars: this.scalars.map(([name]) => name),
      history,
      records,
    };
  }

  private bufferOf(tensor: Tensor, name?: string): Buffer {
    const { layout } = this;
    const known = layout.find(tensor);
    if (known !== undefined) return known;
    const { op, attributes, shape, dtype } = tensor;
    const constant = op === "constant" && attributes.values !== undefined && literalOf(tensor) === null;
    const role = constant ? "constant" : "intermediate";
    const buffer = layout.add(name ?? `${op} ${layout.buffers.length}`, role, sizeOf(shape), dtype);
    if (constant && attributes.values) this.constants.push({ buffer, values: attributes.values });
    layout.assign(tensor, buffer);
    return buffer;
  }

  private isStored(node: Tensor): boolean {
    if (!this.fusion.stored.has(node)) return false;
    // A scalar that only the record wants needs no memory of its own.
    if (rowOf(node.op).kind === "scatter") return true;
    return sizeOf(node.shape) !== 1 || this.layout.find(node) !== undefined || this.read.has(node);
  }

  /** Says which memory a kernel needs. */
  private live(group: Group, at: number): void {
    const { layout, fusion } = this;
    for (const tensor of readsOf(fusion, group)) layout.touch(this.bufferOf(tensor), at);
    for (const node of this.nodesOf(group)) if (this.isStored(node)) layout.touch(this.bufferOf(node), at);
    for (const partial of group.partials) {
      const buffer = layout.add(`${partial.op} ${layout.buffers.length}`, "partials", 1);
      layout.assign(partial, buffer);
      layout.touch(buffer, at);
    }
    for (const partial of group.combines) layout.touch(layout.find(partial) as Buffer, at);
    if (group.kind !== "contraction" || asShort(group)) return;
    const scratch = (name: string, bytes: number) => {
      if (bytes === 0) return null;
      const buffer = layout.add(name, "scratch", bytes / 4);
      layout.touch(buffer, at);
      return buffer;
    };
    const c = this.direct(group) ? null : scratch("product", group.size * 4);
    const product = matricesOf(group);
    const panels = scratch("panels", packedBytes(product, this.relaxed, group.b?.kind === "view"));
    const left = scratch("left operand", group.a?.kind === "view" ? 4 * product.M * product.K : 0);
    this.scratch.set(group, { c, panels, left });
  }

  /** Whether a product can be left where its root is stored, nothing else there being read any more. */
  private direct(group: Group): boolean {
    const { root } = group;
    if (root === null || !this.isStored(root)) return false;
    const into = this.bufferOf(root);
    return ![...readsOf(this.fusion, group)].some((tensor) => this.bufferOf(tensor) === into);
  }

  private nodesOf(group: Group): Tensor[] {
    const nodes = [...(group.root ? [group.root] : []), ...group.members];
    return [...nodes, ...group.combines.map(({ node }) => node)];
  }
}
