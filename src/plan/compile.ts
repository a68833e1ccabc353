import type { Program } from "../graph/program";
import type { Tensor } from "../graph/tensor";
import { DeviceError } from "../util/errors";
import { sizeOf } from "../util/shape";
import { fuse } from "./fuse";
import { copyOf, MAX_MEMBERS, resultOf } from "./group";
import { type Dispatch, isShort, type Kernel, type Plan, type Target } from "./plan";
import { Planner, type Whole } from "./planner";
import { simplify } from "./simplify";
import type { Writers } from "./writers";

/** Steps that a program is taken to run, where it does not say so: a short training. */
const STEPS = 10_000;

/** What a plan is made by. */
export interface Makers extends Writers {
  /** Writes a program whole, and tells whether it is better so; null where that route is not to be considered. */
  readonly whole: {
    readonly lowerPersistent: Whole;
    chooseRoute(recorded: Plan, persistent: Plan, target: Target, steps: number): Plan;
  } | null;
}

/** Whether a program may run whole in one workgroup: what it changes must fit there, and it must change something or be asked for. */
export function mayRunWhole({ updates = {} }: Program, { route, maxWorkgroupBytes }: Target): boolean {
  // Without updates every step is the same: one is all that is run, and its kernels compile sooner apart.
  if (route === "recorded" || (route === undefined && Object.keys(updates).length === 0)) return false;
  return Object.values(updates).reduce((bytes, { shape }) => bytes + 4 * sizeOf(shape), 0) <= maxWorkgroupBytes;
}

/**
 * How a program will run on `target`: which kernels over which buffers in which order; whole in one workgroup where `whole` is
 * there and that is faster. Plain data; equal programs give equal plans. Throws DeviceError, with both numbers, where a buffer
 * is larger than the device can bind. Where there is but one route, `written` is told of each kernel while the others are still
 * being planned: compiling it is what takes time.
 */
export function compile(
  program: Program,
  target: Target,
  { whole, ...writers }: Makers,
  written: (kernel: Kernel) => void = () => {},
): Plan {
  const results = simplify([...Object.values(program.outputs), ...Object.values(program.updates ?? {})]);
  // What would still be a leaf, a view or a number gets a kernel that copies it: a result has a buffer of its own.
  const simplified = (tensors: Record<string, Tensor>) =>
    Object.entries(tensors).map(([name, tensor]) => [name, results.get(tensor) as Tensor] as const);
  const updates = simplified(program.updates ?? {}).map(([name, node]) => [name, resultOf(node)] as const);
  // An output that is an update too must not change when the parameter is written.
  const updated = new Set(updates.map(([, node]) => node));
  const shared = (node: Tensor) => updated.has(node) && sizeOf(node.shape) > 1;
  const outputs = simplified(program.outputs).map(
    ([name, node]) => [name, shared(node) ? copyOf(node) : resultOf(node)] as const,
  );
  // The fewer buffers a kernel reads, the fewer it binds; where values to be stored come on top, it is tried with less. So it
  // is with nodes, where a kernel's text is too long.
  let [maxBuffers, maxMembers] = [target.maxStorageBuffers, MAX_MEMBERS];
  while (maxBuffers >= 3 && maxMembers >= 1) {
    const fusion = fuse(
      outputs.map(([, node]) => node),
      updates.map(([name, node]) => ({ parameter: program.parameters[name] as Tensor, node })),
      { maxBuffers, maxMembers },
    );
    const planner = () => new Planner(program, outputs, updates, fusion, target, writers);
    const recorded = planner().recorded(whole ? () => {} : written);
    const dispatches = [...recorded.step, ...(recorded.tail ? [recorded.tail] : [])];
    const over = dispatches.filter(({ bindings }) => bindings.length > target.maxStorageBuffers);
    // What a kernel's nodes leave takes buffers however few it reads.
    const leaves = ({ bindings }: Dispatch) => bindings.filter(({ access }) => access === "read_write").length;
    if (over.length > 0 && maxBuffers > 3 && over.every((each) => leaves(each) < target.maxStorageBuffers))
      maxBuffers--;
    else if (over.length > 0) maxMembers >>= 1;
    else if (!dispatches.every(isShort)) maxMembers >>= 1;
    else {
      const persistent = whole && planner().persistent(whole.lowerPersistent);
      return whole && persistent ? whole.chooseRoute(recorded, persistent, target, program.steps ?? STEPS) : recorded;
    }
  }
  throw new DeviceError(
    `compile: an operation of the program needs more buffers in one kernel than this device binds, ${target.maxStorageBuffers}, or a longer text than a kernel's may be`,
  );
}
