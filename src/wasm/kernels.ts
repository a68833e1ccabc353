import { literalOf, type Tensor } from "../graph/tensor";
import {
  type ContractionGroup,
  combinedBy,
  type Fusion,
  type Group,
  type PartialReduction,
  type ScanPlan,
  valuesOf,
} from "../plan/group";
import { begunBy } from "../plan/nest";
import { readsOf } from "../plan/schedule";
import { sizeOf } from "../util/shape";
import { loaded } from "./arithmetic";
import { emitGroup, type Scratch } from "./emit";
import type { ModuleFunction } from "./encoder";
import { Kernel, type More, type Places } from "./kernel";
import { LANE_BYTES } from "./lane";
import type { Buffer, Layout } from "./layout";
import { type Called, Pieces, type Team } from "./pieces";
import { asShort, matricesOf } from "./short-products";
import { ownBytes, packedBytes } from "./tiles";

export interface Home {
  /** Whether a node must be in memory after its kernel. */
  isStored(node: Tensor): boolean;
  /** The places in a step's record that a scalar output has. */
  recordsOf(node: Tensor): readonly number[];
  /** The buffer of each value that has one. */
  readonly buffers: Map<Tensor | PartialReduction, Buffer>;
}

/** Kernels under way whose values share one memory: those of a program, or of a scan's step. */
export class Kernels {
  readonly constants: { buffer: Buffer; values: ArrayLike<number> }[] = [];
  private readonly scratch = new Map<Group, Record<keyof Scratch, Buffer | null>>();
  private readonly steps = new Map<Group, Kernels>();

  constructor(
    readonly layout: Layout,
    readonly fusion: Fusion,
    readonly relaxed: boolean,
    private readonly home: Home,
    private readonly more: More | null,
    /** How many threads run a kernel's pieces. */
    private readonly threads: number,
  ) {}

  bufferOf(tensor: Tensor, name?: string): Buffer {
    const { layout } = this;
    const known = this.home.buffers.get(tensor);
    if (known !== undefined) return known;
    const { op, attributes, shape, dtype } = tensor;
    const constant = op === "constant" && attributes.values !== undefined && literalOf(tensor) === null;
    const role = constant ? "constant" : "intermediate";
    const buffer = layout.add(name ?? `${op} ${layout.buffers.length}`, role, sizeOf(shape), dtype);
    if (constant && attributes.values) this.constants.push({ buffer, values: attributes.values });
    this.home.buffers.set(tensor, buffer);
    return buffer;
  }

  /** Says which memory a kernel needs. */
  live(group: Group, at: number): void {
    const { layout, fusion } = this;
    for (const tensor of readsOf(fusion, group)) layout.touch(this.bufferOf(tensor), at);
    for (const node of valuesOf(group)) if (this.home.isStored(node)) layout.touch(this.bufferOf(node), at);
    if (group.kind === "scan") this.steps.set(group, this.stepOf(group.scan, at));
    for (const partial of group.partials) {
      const { summed } = begunBy(group, partial);
      const buffer = layout.add(`${partial.op} ${layout.buffers.length}`, "partials", 1, summed);
      this.home.buffers.set(partial, buffer);
      layout.touch(buffer, at);
    }
    for (const partial of combinedBy(group)) layout.touch(this.home.buffers.get(partial) as Buffer, at);
    if (group.kind !== "contraction" || asShort(group)) return;
    const scratch = (name: string, bytes: number) => {
      if (bytes === 0) return null;
      const buffer = layout.add(name, "scratch", bytes / LANE_BYTES);
      layout.touch(buffer, at);
      return buffer;
    };
    const c = this.direct(group) ? null : scratch("product", group.size * LANE_BYTES);
    const product = matricesOf(group);
    // Each thread has copies of its own where it copies for itself.
    const room = (bytes: number) => (this.threads > 1 && bytes > 0 ? this.threads * ownBytes(bytes) : bytes);
    const panels = scratch("panels", room(packedBytes(product, this.relaxed, group.b.kind === "view")));
    const left = scratch("left operand", room(group.a.kind === "view" ? LANE_BYTES * product.M * product.K : 0));
    this.scratch.set(group, { c, panels, left });
  }

  /** A kernel's function, once memory is settled; and how many threads find something to do in it. */
  write(group: Group, name: string, called: Called, team: Team | null): { made: ModuleFunction; threads: number } {
    const step = this.steps.get(group);
    if (group.kind === "scan" && step !== undefined) {
      const plan = group.scan;
      const functions = plan.order.map((inner) => called((name) => step.write(inner, name, called, null).made));
      const [outside, inside] = [this, step].map((kernels) => (tensor: Tensor) => kernels.bufferOf(tensor));
      const { stepLoop, stepsOf } = loaded(this.more);
      const nest = stepsOf(group, { isStored: (node) => this.home.isStored(node) });
      const steps = (name: string) =>
        stepLoop(nest, name, outside as (tensor: Tensor) => Buffer, inside as (tensor: Tensor) => Buffer, functions);
      return { made: team === null ? steps(name) : team.alone(name, called(steps)), threads: 1 };
    }
    const { layout } = this;
    const places: Places = {
      sizeBytes: layout.sizeBytes,
      more: this.more,
      addressOf: (tensor) => this.bufferOf(tensor).address,
      isStored: (tensor) => this.home.isStored(tensor),
      recordsOf: (tensor) => this.home.recordsOf(tensor),
      partialAddress: (partial) => (this.home.buffers.get(partial) as Buffer).address,
    };
    const pieces = new Pieces(this.relaxed, team);
    const scratch = this.scratch.get(group);
    emitGroup(new Kernel(pieces, this.fusion, group, places), {
      c: scratch?.c?.address ?? null,
      panels: scratch?.panels?.address ?? 0,
      left: scratch?.left?.address ?? 0,
    });
    return { made: pieces.done(name, called), threads: pieces.threads };
  }

  /** The kernels of a scan's step, with memory for what it is given and what it leaves. */
  private stepOf({ node: { body }, operands, fusion, order, results }: ScanPlan, at: number): Kernels {
    const buffers = new Map<Tensor | PartialReduction, Buffer>();
    const step = new Kernels(
      this.layout,
      fusion,
      this.relaxed,
      {
        buffers,
        isStored: (node) => fusion.stored.has(node),
        recordsOf: () => [],
      },
      this.more,
      1,
    );
    const begin = operands.length - body.closed.length;
    body.closed.forEach((leaf, i) => {
      buffers.set(leaf, this.bufferOf(operands[begin + i] as Tensor));
    });
    for (const leaf of [...body.carries, ...body.xs]) this.layout.touch(step.bufferOf(leaf), at);
    for (const node of results) if (node) this.layout.touch(step.bufferOf(node), at);
    for (const group of order) step.live(group, at);
    return step;
  }

  /** Whether a product can be left where its root is stored, nothing else there being read any more. */
  private direct(group: ContractionGroup): boolean {
    const { root } = group;
    if (!this.home.isStored(root)) return false;
    const into = this.bufferOf(root);
    return ![...readsOf(this.fusion, group)].some((tensor) => this.bufferOf(tensor) === into);
  }
}
