import { bytesOf } from "../../graph/ops";
import type { Program } from "../../graph/program";
import type { Tensor } from "../../graph/tensor";
import { fuse } from "../../plan/fuse";
import { copyOf, type Fusion, MAX_MEMBERS, resultOf } from "../../plan/group";
import { simplify } from "../../plan/simplify";
import { DeviceError } from "../../util/errors";
import { sizeOf } from "../../util/shape";
import type { Kernels } from "./kernel-set";
import { type Dispatch, isShort, type Plan, type PlannedKernel, type Target } from "./plan";
import { type LowerPersistent, Planner } from "./planner";

/** Steps that a program is taken to run, where it does not say so: a short training. */
const STEPS = 10_000;

/** What a plan is made by. */
export interface KernelSet extends Kernels {
  /** Writes a program whole, and tells whether it is better so; null where that route is not to be considered. */
  readonly persistent: {
    readonly lowerPersistent: LowerPersistent;
    chooseRoute(recorded: Plan, persistent: Plan, target: Target, steps: number): Plan;
  } | null;
}

/** Whether a program may run whole in one workgroup: what it changes must fit there, and it must change something or be asked for. */
export function mayBePersistent({ updates = {} }: Program, { route, maxWorkgroupBytes }: Target): boolean {
  // Without updates every step is the same: one is all that is run, and its kernels compile sooner apart.
  if (route === "recorded" || (route === undefined && Object.keys(updates).length === 0)) return false;
  return (
    Object.values(updates).reduce((bytes, { shape, dtype }) => bytes + bytesOf(dtype) * sizeOf(shape), 0) <=
    maxWorkgroupBytes
  );
}

/** What a planning is given when it has said which kernels it needs. */
export interface Given {
  readonly kernels: KernelSet;
  readonly target: Target;
}

/**
 * How a program will run on `target`: which kernels over which buffers in which order; whole in one workgroup where `persistent` is
 * there and that is faster. Plain data; equal programs give equal plans. Throws DeviceError, with both numbers, where a buffer
 * is larger than the device can bind. `kernels` must write all that the program's groups may be.
 */
export function compile(program: Program, target: Target, kernels: KernelSet): Plan {
  const planned = planning(program, target);
  let at = planned.next();
  while (!at.done) at = planned.next({ kernels, target });
  return at.value;
}

/**
 * The steps of `compile`: fuse, load what the groups name, lower. Gives the groups that are to be written, and goes on with what writes
 * them; mostly once, and again where kernels that bind too much are cut smaller. Where there is but one route, `written` is told of each
 * kernel while the others are still being planned: compiling it is what takes time.
 */
export function* planning(
  program: Program,
  { maxStorageBuffers }: Pick<Target, "maxStorageBuffers">,
  written: (kernel: PlannedKernel) => void = () => {},
): Generator<Fusion, Plan, Given> {
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
  let [maxBuffers, maxMembers] = [maxStorageBuffers, MAX_MEMBERS];
  while (maxBuffers >= 3 && maxMembers >= 1) {
    const fusion = fuse(
      outputs.map(([, node]) => node),
      updates.map(([name, node]) => ({ parameter: program.parameters[name] as Tensor, node })),
      { maxBuffers, maxMembers },
    );
    const { kernels, target } = yield fusion;
    const { persistent: inOne } = kernels;
    const planner = () => new Planner(program, outputs, updates, fusion, target, kernels);
    const recorded = planner().recorded(inOne ? () => {} : written);
    const dispatches = [...recorded.step, ...(recorded.deferred ? [recorded.deferred] : [])];
    const over = dispatches.filter(({ bindings }) => bindings.length > maxStorageBuffers);
    // What a kernel's nodes leave takes buffers however few it reads.
    const leaves = ({ bindings }: Dispatch) => bindings.filter(({ access }) => access === "read_write").length;
    if (over.length > 0 && maxBuffers > 3 && over.every((each) => leaves(each) < maxStorageBuffers)) maxBuffers--;
    else if (over.length > 0) maxMembers >>= 1;
    else if (!dispatches.every(isShort)) maxMembers >>= 1;
    else {
      const persistent = inOne && planner().persistent(inOne.lowerPersistent);
      return inOne && persistent ? inOne.chooseRoute(recorded, persistent, target, program.steps ?? STEPS) : recorded;
    }
  }
  throw new DeviceError(
    `compile: an operation of the program needs more buffers in one kernel than this device binds, ${maxStorageBuffers}, or a longer text than a kernel's may be`,
  );
}
