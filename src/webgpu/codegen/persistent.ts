import type { Tensor } from "../../graph/tensor";
import { persistentKernel } from "../../kernels/persistent";
import { times } from "../../kernels/specialise";
import { declareStepArguments, withStepArguments } from "../../kernels/step-arguments";
import { Turns } from "../../kernels/turns";
import { type Arrangement, layOut, type Resident, type Touches } from "../../plan/arrangement";
import { type Fusion, type Group, widthOf } from "../../plan/group";
import { alone, passedOn, type RowLoop, rowLoopsOf, type Segment, segmentsOf } from "../../plan/segments";
import type { Storage } from "../../plan/storage";
import { Waits } from "../../plan/waits";
import { opsOf, workOf } from "../../plan/work";
import { COPY, type KernelStores, type LoweredDispatch, WORD_BYTES } from "./dispatch";
import { labelOf } from "./lower";
import type { Context, Places } from "./part";
import { loop, writeGroup } from "./persistent-group";
import { isShort, mostTurns, type Target } from "./plan";
import { writeRowLoop } from "./row-loop";
import { sharesOf } from "./row-totals";
import { type Index, indexText } from "./wgsl";

/** What lives beyond a step. */
export interface Residents {
  readonly resident: readonly Resident[];
  /** The one buffer that holds them, and each one's first element there. */
  readonly state: Storage;
  readonly offsets: ReadonlyMap<Storage, number>;
  readonly history: Storage | null;
}

/**
 * The program as a single kernel in which one workgroup runs many steps, or null where it does not fit a workgroup's
 * memory, a step what a thread may loop, or the text what a kernel's may be. Written from the same groups and the same
 * expressions as the dispatches of the recorded route.
 */
export function lowerPersistent(
  fusion: Fusion,
  order: readonly Group[],
  stores: KernelStores,
  residents: Residents,
  target: Target,
  parts: Pick<Context, "scatter" | "scan">,
): LoweredDispatch | null {
  const { software } = target;
  const write = (segments: readonly Segment[]) =>
    writeSegments(fusion, order, segments, stores, residents, target, parts);
  const segments = segmentsOf(fusion, order, stores, { software, workOf: (group) => workOf(fusion, group) });
  return write(segments) ?? (rowLoopsOf(segments).length > 0 ? write(order.map(alone)) : null);
}

function writeSegments(
  fusion: Fusion,
  order: readonly Group[],
  segments: readonly Segment[],
  stores: KernelStores,
  residents: Residents,
  target: Target,
  parts: Pick<Context, "scatter" | "scan">,
): LoweredDispatch | null {
  const { resident } = residents;
  const rowLoops = rowLoopsOf(segments);
  const workgroupSize = workgroupSizeFor(segments, target);
  const lasting = new Set(resident.map(({ storage }) => storage));
  const passed = passedOn(fusion, segments, (node) => stores.isStored(node) && lasting.has(stores.storageOf(node)));
  const subgroup = workgroupSize === target.subgroupSize;
  const joined = Math.max(
    0,
    ...rowLoops.map(({ totals }) => {
      const { shares, pitch } = sharesOf(totals, workgroupSize, subgroup);
      return shares * pitch;
    }),
  );
  // Beside them, what joining sums takes.
  const capacity = target.maxWorkgroupBytes / WORD_BYTES - 3 * workgroupSize - joined;
  const layout = layOut(fusion, segments, stores, resident, passed, { capacity, bringsIn: !target.software });
  if (layout === null) return null;

  const readOnly = new Set(resident.filter(({ access }) => access === "read").map(({ storage }) => storage));
  const changing = [...layout.offsets.keys()].filter((storage) => !readOnly.has(storage));
  const elements = changing.reduce((sum, storage) => sum + storage.elements, 0);
  // Every thread does all of what is written out.
  const short = (group: Group) =>
    group.kind === "combine" ||
    (group.kind === "map" && group.size <= MAX_HELD && opsOf(fusion, group) * group.size <= MAX_WRITTEN);
  const mayHold =
    subgroup && elements <= MAX_HELD && segments.every((segment) => segment.kind === "rowLoop" || short(segment.group));
  const cut: Cut = { segments, layout, passed, workgroupSize, subgroup, joined, readOnly, kernels: parts };
  const write = (held: boolean) => {
    const written = writeStep(fusion, order, stores, residents, target, cut, held);
    const { turns = 0, turnsOnce = 0 } = written?.persistent ?? {};
    const ends = turns + turnsOnce <= mostTurns(target);
    return written && ends && isShort(written.kernel) ? written : null;
  };
  return (mayHold ? write(true) : null) ?? write(false);
}

/** How a program is cut up and placed. */
interface Cut {
  readonly segments: readonly Segment[];
  readonly layout: Arrangement;
  /** Tensors that pass from kernel to kernel in registers alone. */
  readonly passed: ReadonlySet<Tensor>;
  readonly workgroupSize: number;
  readonly subgroup: boolean;
  /** Elements that threads share to join sums. */
  readonly joined: number;
  /** What the program does not change. */
  readonly readOnly: ReadonlySet<Storage>;
  readonly kernels: Pick<Context, "scatter" | "scan">;
}

/** The kernel; null where an element that is to be held in a variable is wanted at an index that is no number. */
function writeStep(
  fusion: Fusion,
  order: readonly Group[],
  stores: KernelStores,
  { resident, state, offsets, history }: Residents,
  { software }: Target,
  { segments, layout, passed, workgroupSize, subgroup, joined, readOnly, kernels }: Cut,
  held: boolean,
): LoweredDispatch | null {
  const work = (group: Group) => workOf(fusion, group);
  const rowLoops = rowLoopsOf(segments);
  const bound = [state, ...(history ? [history] : [])].map((storage) => ({ storage, access: "read_write" as const }));
  const bindings = [
    `@group(0) @binding(0) var<storage, read_write> state: array<u32, ${state.elements}>;`,
    ...(history ? ["@group(0) @binding(1) var<storage, read_write> history: array<f32>;"] : []),
    declareStepArguments("run", bound.length, stores.stepArguments),
  ];

  let constant = true;
  const isHeld = (storage: Storage) => held && layout.offsets.has(storage) && !readOnly.has(storage);
  const functions = new Set<string>();
  const [turns, turnsOnce] = [new Turns(), new Turns()];
  const step: string[] = [];
  /** WGSL of an element's bits where it lies between dispatches. */
  const inState = (storage: Storage, index: Index) =>
    stores.copies === 1 || storage.shared
      ? `state[${offsets.get(storage)}u + ${indexText(index)}]`
      : `state[${offsets.get(storage)}u + ${COPY} * ${storage.elements}u + ${indexText(index)}]`;
  /** WGSL of an element's bits: in workgroup memory, or else in the state. */
  const bits = (storage: Storage, index: Index): string => {
    const offset = layout.offsets.get(storage);
    if (offset !== undefined && isHeld(storage)) {
      constant &&= typeof index === "number";
      return `h${offset + Number(index)}`;
    }
    return offset === undefined ? inState(storage, index) : `memory[${offset}u + ${indexText(index)}]`;
  };
  const places: Places = {
    element: (storage, index) => `bitcast<${storage.dtype === "int32" ? "i32" : "f32"}>(${bits(storage, index)})`,
    assign: (storage, index, value) => `${bits(storage, index)} = bitcast<u32>(${value});`,
  };
  const variables = new Map<Tensor, string>();
  let parts = 0;
  const context: Context = {
    fusion,
    stores: { ...stores, isStored: (node) => stores.isStored(node) && !passed.has(node) },
    places,
    functions,
    turns,
    workgroupSize,
    subgroup,
    maxOnce: software ? 1024 : 64,
    variableOf: (node) => {
      const known = variables.get(node) ?? `begun${variables.size}`;
      variables.set(node, known);
      return known;
    },
    ...kernels,
    next: () => parts++,
    barrier: () => turns.barrier(),
    maxTile: 16,
    held,
    loop: (variable, count, body) => loop(variable, count, workgroupSize, turns, body),
    each: (count, statements) =>
      held
        ? times(count, (i) => ["{", ...statements(i).map((line) => `  ${line}`), "}"]).flat()
        : loop("i", count, workgroupSize, turns, () => statements("i")),
  };
  // What every thread holds of its own needs no waiting.
  const waits = held ? null : new Waits<number>();
  const push = (touches: Touches, lines: readonly string[]) => {
    if (waits?.before(touches)) step.push(context.barrier());
    step.push(...lines);
  };
  const touchesOfGroup = (group: Group) => layout.touches.get(group) as Touches;
  for (const segment of segments) {
    if (segment.kind === "group") {
      push(touchesOfGroup(segment.group), writeGroup(context, segment.group));
      continue;
    }
    const written = writeRowLoop(context, segment);
    const rows = segment.groups.map((group) => ({ ...touchesOfGroup(group), sums: segment.sums.has(group) }));
    push(
      {
        reads: new Set(rows.flatMap(({ reads }) => [...reads])),
        writes: new Set([JOINED, ...rows.flatMap(({ writes, sums }) => (sums ? [] : [...writes]))]),
      },
      written.loop,
    );
    for (const { group, lines } of written.ends) {
      const { reads, writes } = touchesOfGroup(group);
      push({ reads: new Set([JOINED, ...reads]), writes }, lines);
    }
  }
  if (joined > 0 && !held) functions.add(`var<workgroup> joined: array<f32, ${joined}>;`);
  if (fusion.deferred !== null)
    step.push("if (recorded) {", ...writeGroup(context, fusion.deferred).map((line) => `  ${line}`), "}");

  const copies = (direction: "load" | "store") => {
    // What lies side by side here and there is copied in one loop.
    const runs: { inside: number; outside: number; elements: number; storage: Storage }[] = [];
    for (const { storage, access } of resident) {
      const inside = layout.offsets.get(storage);
      if (inside === undefined || isHeld(storage) || (direction === "store" && access === "read")) continue;
      const outside = offsets.get(storage) as number;
      const last = runs[runs.length - 1];
      // Of copies each storage has all that they have of it, before the next one begins.
      const joins = stores.copies === 1 || (storage.shared && last?.storage.shared);
      if (joins && last && last.inside + last.elements === inside && last.outside + last.elements === outside)
        last.elements += storage.elements;
      else runs.push({ inside, outside, elements: storage.elements, storage });
    }
    return runs.map(({ inside, elements, storage }) => {
      const [here, there] = [`memory[${inside}u + i]`, inState(storage, "i")];
      const line = direction === "load" ? `${here} = ${there};` : `${there} = ${here};`;
      return turnsOnce.loop(
        Math.ceil(elements / workgroupSize),
        () => `for (var i = local; i < ${elements}u; i += ${workgroupSize}u) { ${line} }`,
      );
    });
  };
  if (!constant) return null;
  // Variables by the place that their element would have in workgroup memory.
  const variablesOf = (storage: Storage) =>
    times(storage.elements, (i) => `h${(layout.offsets.get(storage) as number) + i}`);
  const oneInState = (storage: Storage, i: number) => {
    const first = (offsets.get(storage) as number) + i;
    return stores.copies === 1 || storage.shared
      ? `state[${first}u]`
      : `state[${first}u + ${COPY} * ${storage.elements}u]`;
  };
  const kept = resident.filter(({ storage }) => isHeld(storage));
  const fresh = new Set([...layout.offsets.keys()].filter(isHeld).flatMap(variablesOf));
  const taken = kept.flatMap(({ storage }) =>
    variablesOf(storage).map((name, i) => {
      fresh.delete(name);
      return `var ${name} = ${oneInState(storage, i)};`;
    }),
  );
  const given = kept.flatMap(({ storage }) =>
    variablesOf(storage).map((name, i) => `${oneInState(storage, i)} = ${name};`),
  );
  const memory = held
    ? `${taken.length + fresh.size} values held by every thread`
    : `${(layout.elements + joined) * WORD_BYTES} bytes of workgroup memory`;
  const kernel = persistentKernel({
    workgroupSize,
    subgroup,
    held,
    elements: layout.elements,
    count: state.elements - stores.copies,
    copies: stores.copies,
    bindings: bindings.map((line) => `${line}\n`).join(""),
    functions: [...functions].map((text) => `${text}\n`).join(""),
    load: [...copies("load"), ...taken, ...[...fresh].map((name) => `var ${name} = 0u;`)],
    step,
    store: [
      ...copies("store"),
      ...(given.length > 0 ? ["if (local == 0u) {", ...given.map((line) => `  ${line}`), "}"] : []),
    ],
  });
  return {
    kernel: { ...kernel, source: withStepArguments(kernel.source, stores.stepArguments) },
    label: order.map(labelOf).join("; "),
    bindings: bound,
    stepArguments: stores.stepArguments,
    flops: stores.copies * order.reduce((sum, group) => sum + work(group), 0),
    persistent: {
      threads: workgroupSize,
      barriers: turns.barriers,
      rowLoopFlops: rowLoops.flatMap(({ groups }) => groups).reduce((sum, group) => sum + work(group), 0),
      memory: layout.elements + joined,
      turns: turns.total + 1,
      // The loop over the steps is left once; the one that counts them is looked at twice.
      turnsOnce: turnsOnce.total + 3,
    },
    bytes: 0,
    output: "a whole step",
    shapes: `${order.length} operations${loops(rowLoops)}, ${memory}`,
  };
}

/** Row loops in words. */
function loops(rowLoops: readonly RowLoop[]): string {
  return rowLoops.map(({ groups, rows }) => `, ${groups.length} of them in a loop over ${rows} rows`).join("");
}

/** Elements that a thread holds in variables: registers of a GPU are few, and a software adapter takes long to compile many. */
const MAX_HELD = 48;
/** Operations that are written out where every thread does all: compilers take long for many, a minute for ten thousand. */
const MAX_WRITTEN = 1500;

/** In touches: where the shares of a row loop's sums wait for one another. */
const JOINED = -1;

/** Rows that a thread takes in turn before more threads are worth a barrier. */
const ROUNDS = 8;

/**
 * A row loop runs in one subgroup, where sums cost no barrier, unless a batch has many rows. Else a GPU's barrier costs about as
 * little for many threads as for few; on a software adapter each thread has its price.
 */
function workgroupSizeFor(segments: readonly Segment[], target: Target): number {
  const { software, subgroupSize, maxWorkgroupSize, maxWorkgroupBytes } = target;
  const rowLoops = rowLoopsOf(segments);
  if (software) return rowLoops.length > 0 && subgroupSize > 0 ? subgroupSize : 4;
  if (rowLoops.length > 0) {
    const rows = Math.max(...rowLoops.map((rowLoop) => rowLoop.rows));
    const totals = Math.max(...rowLoops.map((rowLoop) => rowLoop.totals));
    let size = subgroupSize > 0 ? subgroupSize : 32;
    while (
      rows > ROUNDS * size &&
      2 * size <= Math.min(256, maxWorkgroupSize) &&
      4 * WORD_BYTES * totals * size <= maxWorkgroupBytes
    )
      size *= 2;
    return size;
  }
  const widest = Math.max(...segments.map((segment) => (segment.kind === "group" ? widthOf(segment.group) : 0)));
  let size = 64;
  while (size < 256 && size < widest && size * 2 <= maxWorkgroupSize) size *= 2;
  return size;
}
