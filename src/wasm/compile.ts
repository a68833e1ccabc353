import { elementwiseRow, rowOf } from "../graph/ops";
import type { Program } from "../graph/program";
import type { Tensor } from "../graph/tensor";
import { fuse } from "../plan/fuse";
import { type Fusion, type Group, resultOf, valuesOf } from "../plan/group";
import { readsOf, type Schedule, schedule } from "../plan/schedule";
import { simplify } from "../plan/simplify";
import { DeviceError } from "../util/errors";
import { sizeOf } from "../util/shape";
import { about, type KernelAbout } from "./about";
import { copying, stepping } from "./calls";
import { encodeModule, type ModuleFunction } from "./encoder";
import { dealtNs, type Grain, threadsFor } from "./grain";
import type { More } from "./kernel";
import { Kernels } from "./kernels";
import { LANE_BYTES } from "./lane";
import { type Buffer, Layout } from "./layout";
import { type Called, CONTROL_BYTES, IMPORTS, Team } from "./pieces";

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
  /** Threads that share the memory, and where they wait for one another; null for one that has it for itself. */
  readonly team: Sharing | null;
  /** Records that the history has room for: the most steps of one call. */
  readonly records: number;
}

/** So many threads, and the memory in which they wait for one another. */
export interface Sharing {
  readonly threads: number;
  readonly control: Buffer;
}

const HISTORY_BYTES = 2 ** 18;
const MAX_BYTES = 2 ** 32 - 2 ** 16;
/** The instructions know no limit to the buffers that a kernel reads. */
const LIMITS = { maxBuffers: 64 };

type Named = readonly (readonly [string, Tensor])[];

/**
 * For as many threads as find enough to do, at most `most`. Throws DeviceError, with both numbers, where a program needs more memory than
 * WebAssembly can address.
 */
export async function compile(program: Program, relaxed: boolean, most: number, grain: Grain): Promise<Compiled> {
  const results = simplify([...Object.values(program.outputs), ...Object.values(program.updates ?? {})]);
  const own = (tensors: Record<string, Tensor>) =>
    Object.entries(tensors).map(([name, tensor]) => [name, resultOf(results.get(tensor) as Tensor)] as const);
  const outputs = own(program.outputs);
  const updates = own(program.updates ?? {});
  const fusion = fuse(
    outputs.map(([, node]) => node),
    updates.map(([name, node]) => ({ parameter: program.parameters[name] as Tensor, node })),
    LIMITS,
  );
  const more = needsMore(fusion, [...results.values()]) ? await import("./more") : null;
  const threads = most === 1 ? 1 : threadsFor(grain, dealtNs(grain, fusion), most);
  return new Compiler(program, outputs, updates, fusion, relaxed, more, threads, grain).compile();
}

/** Whether there is something among the kernels that a chunk of its own writes. */
function needsMore({ groups }: Fusion, nodes: readonly Tensor[]): boolean {
  return (
    nodes.some(({ op }) => elementwiseRow(op)?.operations !== undefined) ||
    groups.some(
      (group) =>
        group.kind === "scan" ||
        group.kind === "scatter" ||
        (group.kind === "contraction" && (group.a.kind === "view" || group.b.kind === "view")),
    )
  );
}

class Compiler {
  private readonly layout = new Layout();
  private readonly order: Schedule;
  private readonly groups: readonly Group[];
  private readonly read: ReadonlySet<Tensor>;
  private readonly scalars: readonly (readonly [string, Tensor])[];
  private readonly made: Kernels;

  constructor(
    private readonly program: Program,
    private readonly outputs: Named,
    private readonly updates: Named,
    private readonly fusion: Fusion,
    relaxed: boolean,
    more: More | null,
    private readonly threads: number,
    private readonly grain: Grain,
  ) {
    const { parameters } = program;
    this.order = schedule(fusion, new Map(updates.map(([name, node]) => [parameters[name] as Tensor, node])));
    this.groups = [...this.order.order, ...(fusion.deferred ? [fusion.deferred] : [])];
    this.read = new Set(this.order.order.flatMap((group) => [...readsOf(fusion, group)]));
    this.scalars = outputs.filter(([, node]) => sizeOf(node.shape) === 1);
    this.made = new Kernels(
      this.layout,
      fusion,
      relaxed,
      {
        buffers: this.layout.known,
        isStored: (node) => this.isStored(node),
        recordsOf: (node) => this.scalars.flatMap(([, other], i) => (other === node ? [i] : [])),
      },
      more,
      threads,
    );
  }

  compile(): Compiled {
    const { program, layout, fusion, made, threads } = this;
    const control = threads > 1 ? layout.add("threads", "threads", CONTROL_BYTES / 4) : null;
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
      copies.push({ from: made.bufferOf(node, `${name}'`), to: parameters.get(name) as Buffer });
    }
    for (const [name, node] of this.outputs) {
      const to = outputs.get(name);
      const from = layout.find(node);
      if (to && from && from !== to) copies.push({ from, to });
    }
    const recordBytes = LANE_BYTES * Math.max(1, this.scalars.length);
    const records = this.scalars.length === 0 ? 2 ** 20 : Math.max(1, Math.floor(HISTORY_BYTES / recordBytes));
    const history = layout.add("history", "history", this.scalars.length === 0 ? 1 : records * this.scalars.length);

    for (const [at, group] of this.groups.entries()) made.live(group, at);
    for (const { from } of copies) layout.touch(from, this.groups.length);
    layout.settle();
    if (layout.sizeBytes > MAX_BYTES) {
      throw new DeviceError(
        `compile: the program needs ${layout.sizeBytes} bytes, WebAssembly addresses at most ${MAX_BYTES}; use smaller batches or layers`,
      );
    }

    // Those that others call come behind the kernels, the copies and the step.
    const inner: ModuleFunction[] = [];
    const imported = control === null ? [] : IMPORTS;
    const first = imported.length + this.groups.length + (copies.length > 0 ? 1 : 0) + 1;
    let count = 0;
    const called: Called = (write) => {
      const name = `s${count++}`;
      return first - 1 + inner.push(write(name));
    };
    const team = control && new Team(threads, this.grain, control, called);
    const written = this.groups.map((group, i) => made.write(group, `k${i}`, called, team));
    const functions = written.map(({ made }) => made);
    const kernels = this.groups.map((group, i) => {
      const nodes = valuesOf(group);
      return about(group, nodes, {
        reads: [...readsOf(fusion, group)].map((tensor) => made.bufferOf(tensor)),
        writes: nodes.filter((node) => this.isStored(node)).map((node) => made.bufferOf(node)),
        records: this.scalars.filter(([, node]) => nodes.includes(node)).map(([name]) => name),
        threads: written[i]?.threads ?? 1,
      });
    });
    if (copies.length > 0) {
      const name = `k${functions.length}`;
      functions.push(
        team
          ? team.alone(
              name,
              called((name) => copying(copies, name)),
            )
          : copying(copies, name),
      );
      kernels.push({
        kind: "copy",
        label: "updates and outputs in their places",
        shapes: "",
        reads: copies.map(({ from }) => from),
        writes: copies.map(({ to }) => to),
        records: [],
        flops: 0,
        threads: 1,
      });
    }
    team?.finish();
    functions.push(stepping(imported.length, functions.length, history.address, this.scalars.length * LANE_BYTES));
    return {
      bytes: encodeModule(layout.sizeBytes, history.address, [...functions, ...inner], imported),
      sizeBytes: layout.sizeBytes,
      kernels,
      buffers: layout.buffers,
      constants: made.constants,
      inputs,
      parameters,
      outputs,
      scalars: this.scalars.map(([name]) => name),
      history,
      records,
      team: control && { threads, control },
    };
  }

  private isStored(node: Tensor): boolean {
    if (!this.fusion.stored.has(node)) return false;
    // A scalar that only the record wants needs no memory of its own.
    if (rowOf(node.op).kind === "scatter") return true;
    return sizeOf(node.shape) !== 1 || this.layout.find(node) !== undefined || this.read.has(node);
  }
}
