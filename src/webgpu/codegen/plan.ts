import { bytesOf, type DType } from "../../graph/ops";
import type { StepArguments } from "../../kernels/step-arguments";
import type { MatmulTiling } from "../../kernels/tiling";

/**
 * What a buffer is for. All but intermediates stay as they are between steps; "state" is an allocation with all that lies in it,
 * "count" how many steps a persistent kernel has done.
 */
export type Role =
  | "input"
  | "parameter"
  | "constant"
  | "output"
  | "partials"
  | "history"
  | "intermediate"
  | "state"
  | "count";

export interface PlanBuffer {
  readonly name: string;
  readonly role: Role;
  readonly dtype: DType;
  readonly elements: number;
  /** Intermediates share memory: the index of the allocation that holds this one. */
  readonly allocation: number;
  /** Bytes before it in its allocation. */
  readonly offset: number;
  /** Literal numbers, uploaded once. */
  readonly values?: ArrayLike<number>;
}

/** Bytes of all its elements. */
export function sizeBytesOf({ elements, dtype }: Pick<PlanBuffer, "elements" | "dtype">): number {
  return elements * bytesOf(dtype);
}

export interface Binding {
  readonly buffer: number;
  readonly access: "read" | "read_write";
}

/** A product's sizes, and which of its operands lies transposed. */
export interface ProductShape {
  /** How many products of these sizes there are; one where left out. */
  readonly batch?: number;
  /** Operands that are read through a view, element by element; none where left out. */
  readonly views?: { readonly a: boolean; readonly b: boolean };
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly transposed: { readonly a: boolean; readonly b: boolean };
}

/** What a step costs that one workgroup runs whole. */
export interface PersistentStep {
  readonly threads: number;
  readonly barriers: number;
  /** Arithmetic of loops over rows, where values stay in registers. */
  readonly rowLoopFlops: number;
  /** Elements of workgroup memory. */
  readonly memory: number;
  /** Turns of loops, at most, that a thread makes in a step, that of the steps' own loop among them; and beside it, once a dispatch. */
  readonly turns: number;
  readonly turnsOnce: number;
}

/** What of a dispatch is compiled. */
export interface PlannedKernel {
  readonly kernel: string;
  /** What it computes, in words: the nodes that were fused. */
  readonly label: string;
  readonly source: string;
  readonly bindings: readonly Pick<Binding, "access">[];
  /** How it is told the record of its step, or the steps of a persistent kernel; a uniform is bound after its buffers. */
  readonly stepArguments: StepArguments | null;
}

/** One dispatch: plain data, complete. */
export interface Dispatch extends PlannedKernel {
  readonly bindings: readonly Binding[];
  readonly workgroups: readonly [number, number, number];
  readonly flops: number;
  readonly bytes: number;
  /** Turns of all its loops that a thread makes at most; of a persistent kernel `persistent` tells. */
  readonly turns: number;
  /** The buffer that it is known by, and the shapes of a product. */
  readonly output: string;
  readonly shapes: string;
  /** The product that it computes, or whose parts it adds up. */
  readonly product?: ProductShape;
  /** Of a persistent kernel. */
  readonly persistent?: PersistentStep;
}

/** How a step runs: as dispatches of their own, or with many steps inside one dispatch of one workgroup. */
export type Route = "recorded" | "persistent";

/** A program as it will run: plain data, printed by explain() and compared in tests. */
export interface Plan {
  readonly route: Route;
  /** Why this route, in words. */
  readonly reason: string;
  readonly buffers: readonly PlanBuffer[];
  /** Bytes of each allocation. */
  readonly allocations: readonly number[];
  readonly step: readonly Dispatch[];
  /** Runs once a submission over all its records, a workgroup each; null where nothing is left to combine. */
  readonly deferred: Dispatch | null;
  /** Scalar outputs, in the order in which a record holds them. */
  readonly scalars: readonly string[];
  /** Copies of the program: each dispatch has as many grids of workgroups along its third axis, each record all copies' scalars. */
  readonly copies: number;
  /** How many records the history and the partial results of deferred scalars have room for. */
  readonly records: number;
  readonly history: number | null;
  /** Where the device counts the steps that it has done; null where each step is dispatched. */
  readonly count: number | null;
  /** Steps of one submission at most: what a thread may loop on this adapter. */
  readonly maxSteps: number;
  readonly inputs: Readonly<Record<string, number>>;
  readonly parameters: Readonly<Record<string, number>>;
  /** Outputs that are not scalar; of these as of parameters a buffer has one copy's values after another's. */
  readonly outputs: Readonly<Record<string, number>>;
  readonly updates: readonly string[];
}

/** What was measured to be the fastest on an adapter; what is missing is as by default. */
export interface Tuned {
  /** By class of product. */
  readonly tilings: Readonly<Record<string, MatmulTiling>>;
  /** By what `routeKey` says of a program's plans. */
  readonly routes: Readonly<Record<string, Route>>;
}

/** What a plan is made for: limits of the device, and whether threads are cheap. */
export interface Target extends Partial<Tuned> {
  /** A software adapter: few threads, expensive barriers and workgroup memory. */
  readonly software: boolean;
  readonly maxStorageBuffers: number;
  readonly maxBindingBytes: number;
  readonly maxWorkgroupSize: number;
  readonly maxWorkgroupBytes: number;
  /** Threads of a subgroup, where kernels may use them: read from the adapter, which must promise one size; else 0. */
  readonly subgroupSize: number;
  /** Whether kernels are told numbers with their dispatch, rather than by a buffer. */
  readonly immediates: boolean;
  /** Turns of loops that a thread may take in one dispatch, in all; more end in silence. Missing: no limit is known. */
  readonly maxTurns?: number;
  /** The route to take wherever it is possible; else the faster one by estimate. */
  readonly route?: Route;
}

/** The most characters of a kernel's text, so that no adapter takes long to compile it. */
export const MAX_TEXT = 65_536;

export function isShort({ source }: { readonly source: string }): boolean {
  return source.length < MAX_TEXT;
}

/** Turns of all its loops that a thread may make in a dispatch. */
export function mostTurns({ maxTurns = Number.POSITIVE_INFINITY }: Target): number {
  return maxTurns;
}

/** Names a plan: equal plans, equal names. */
export function planHash(plan: Plan): string {
  return hashOf(
    JSON.stringify([
      plan.route,
      plan.buffers.map(({ values: _, ...rest }) => rest),
      plan.allocations,
      plan.step,
      plan.deferred,
    ]),
  );
}

/** Names the choice between two plans of a program. */
export function routeKey(recorded: Plan, persistent: Plan): string {
  return `${planHash(recorded)}-${planHash(persistent)}`;
}

/** FNV-1a, in hexadecimal digits. */
export function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
