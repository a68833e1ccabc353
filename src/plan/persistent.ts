import type { Tensor } from "../graph/tensor";
import { INITIAL } from "../kernels/partials";
import { persistentKernel } from "../kernels/persistent";
import { registerTile } from "../kernels/register-tile";
import { declareSlot, withSlot } from "../kernels/slot";
import { type Fusion, type Group, productOf } from "./group";
import { layOut, type Resident, type Touches } from "./layout";
import { labelOf, opsOf } from "./lower";
import { type Context, Part, type Places } from "./part";
import type { Target } from "./plan";
import { rowsBody } from "./rows";
import { passedOn, type Stage, type Sweep, stagesOf, sweepsOf } from "./stages";
import type { LoweredDispatch, Storage, Stores } from "./storage";
import { sharesOf, writeSweep } from "./sweep";
import { type Axis, Body } from "./wgsl";

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
 * memory. Written from the same groups and the same expressions as the dispatches of the recorded route.
 */
export function lowerPersistent(
  fusion: Fusion,
  order: readonly Group[],
  stores: Stores,
  { resident, state, offsets, history }: Residents,
  target: Target,
): LoweredDispatch | null {
  const { software } = target;
  const work = (group: Group) => workOf(fusion, group);
  const stages = stagesOf(fusion, order, stores, { software, workOf: work });
  const sweeps = sweepsOf(stages);
  const workgroupSize = workgroupSizeFor(stages, target);
  const lasting = new Set(resident.map(({ storage }) => storage));
  const passed = passedOn(fusion, stages, (node) => stores.isStored(node) && lasting.has(stores.storageOf(node)));
  const subgroup = workgroupSize === target.subgroupSize;
  const joined = Math.max(
    0,
    ...sweeps.map(({ totals }) => {
      const { shares, pitch } = sharesOf(totals, workgroupSize, subgroup);
      return shares * pitch;
    }),
  );
  // Beside them, what joining sums takes.
  const capacity = target.maxWorkgroupBytes / 4 - 3 * workgroupSize - joined;
  const layout = layOut(fusion, stages, stores, resident, passed, { capacity, bringsIn: !software });
  if (layout === null) return null;

  const bound = [state, ...(history ? [history] : [])].map((storage) => ({ storage, access: "read_write" as const }));
  const bindings = [
    `@group(0) @binding(0) var<storage, read_write> state: array<u32, ${state.elements}>;`,
    ...(history ? ["@group(0) @binding(1) var<storage, read_write> history: array<f32>;"] : []),
    declareSlot("run", bound.length, stores.slot),
  ];

  const functions = new Set<string>();
  const step: string[] = [];
  /** WGSL of an element's bits: in workgroup memory, or else in the state. */
  const bits = (storage: Storage, index: string): string => {
    const offset = layout.offsets.get(storage);
    return offset === undefined ? `state[${offsets.get(storage)}u + ${index}]` : `memory[${offset}u + ${index}]`;
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
    workgroupSize,
    subgroup,
    maxOnce: software ? 1024 : 64,
    variableOf: (node) => {
      const known = variables.get(node) ?? `begun${variables.size}`;
      variables.set(node, known);
      return known;
    },
    next: () => parts++,
    loop: (variable, count, body) => loop(variable, count, workgroupSize, body),
  };
  // A barrier stands only where a part touches what another one since the last barrier has written, or overwrites what it read.
  const pending = { read: new Set<number>(), written: new Set<number>() };
  const push = ({ reads, writes }: Touches, lines: readonly string[]) => {
    const waits =
      [...reads].some((slot) => pending.written.has(slot)) ||
      [...writes].some((slot) => pending.written.has(slot) || pending.read.has(slot));
    if (waits) {
      step.push("workgroupBarrier();");
      pending.read.clear();
      pending.written.clear();
    }
    for (const slot of reads) pending.read.add(slot);
    for (const slot of writes) pending.written.add(slot);
    step.push(...lines);
  };
  const touchesOfGroup = (group: Group) => layout.touches.get(group) as Touches;
  for (const stage of stages) {
    if (stage.kind === "group") {
      push(touchesOfGroup(stage.group), writeGroup(context, stage.group));
      continue;
    }
    const written = writeSweep(context, stage);
    const rows = stage.groups.map((group) => ({ ...touchesOfGroup(group), sums: stage.sums.has(group) }));
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
  if (joined > 0) functions.add(`var<workgroup> joined: array<f32, ${joined}>;`);
  if (fusion.tail !== null)
    step.push("if (recorded) {", ...writeGroup(context, fusion.tail).map((line) => `  ${line}`), "}");

  const copies = (direction: "load" | "store") => {
    // What lies side by side here and there is copied in one loop.
    const runs: { inside: number; outside: number; elements: number }[] = [];
    for (const { storage, access } of resident) {
      const inside = layout.offsets.get(storage);
      if (inside === undefined || (direction === "store" && access === "read")) continue;
      const outside = offsets.get(storage) as number;
      const last = runs[runs.length - 1];
      if (last && last.inside + last.elements === inside && last.outside + last.elements === outside)
        last.elements += storage.elements;
      else runs.push({ inside, outside, elements: storage.elements });
    }
    return runs.map(({ inside, outside, elements }) => {
      const [here, there] = [`memory[${inside}u + i]`, `state[${outside}u + i]`];
      const line = direction === "load" ? `${here} = ${there};` : `${there} = ${here};`;
      return `for (var i = local; i < ${elements}u; i += ${workgroupSize}u) { ${line} }`;
    });
  };
  const kernel = persistentKernel({
    workgroupSize,
    subgroup,
    elements: layout.elements,
    bindings: bindings.map((line) => `${line}\n`).join(""),
    functions: [...functions].map((text) => `${text}\n`).join(""),
    load: copies("load"),
    step,
    store: copies("store"),
  });
  return {
    kernel: { ...kernel, source: withSlot(kernel.source, stores.slot) },
    label: order.map(labelOf).join("; "),
    bindings: bound,
    slot: stores.slot,
    flops: order.reduce((sum, group) => sum + work(group), 0),
    whole: {
      threads: workgroupSize,
      barriers: step.filter((line) => line === "workgroupBarrier();").length,
      sweptFlops: sweeps.flatMap(({ groups }) => groups).reduce((sum, group) => sum + work(group), 0),
    },
    bytes: 0,
    output: "a whole step",
    shapes: `${order.length} operations${loops(sweeps)}, ${(layout.elements + joined) * 4} bytes of workgroup memory`,
  };
}

/** Sweeps in words. */
function loops(sweeps: readonly Sweep[]): string {
  return sweeps.map(({ groups, rows }) => `, ${groups.length} of them in a loop over ${rows} rows`).join("");
}

/** Arithmetic of a kernel's work in one step. */
function workOf(fusion: Fusion, group: Group): number {
  const K = group.root?.operands[0]?.shape[1] ?? 0;
  return (2 * K + opsOf(fusion, group)) * group.size;
}

/** In touches: where the shares of a sweep's sums wait for one another. */
const JOINED = -1;

/** Rows that a thread takes in turn before more threads are worth a barrier. */
const ROUNDS = 8;

/**
 * A sweep runs in one subgroup, where sums cost no barrier, unless a batch has many rows. Else a GPU's barrier costs about as
 * little for many threads as for few; on a software adapter each thread has its price.
 */
function workgroupSizeFor(stages: readonly Stage[], target: Target): number {
  const { software, subgroupSize, maxWorkgroupSize, maxWorkgroupBytes } = target;
  const sweeps = sweepsOf(stages);
  if (software) return sweeps.length > 0 && subgroupSize > 0 ? subgroupSize : 4;
  if (sweeps.length > 0) {
    const rows = Math.max(...sweeps.map((sweep) => sweep.rows));
    const totals = Math.max(...sweeps.map((sweep) => sweep.totals));
    let size = subgroupSize > 0 ? subgroupSize : 32;
    while (
      rows > ROUNDS * size &&
      2 * size <= Math.min(256, maxWorkgroupSize) &&
      16 * totals * size <= maxWorkgroupBytes
    )
      size *= 2;
    return size;
  }
  const widest = Math.max(...stages.map((stage) => (stage.kind === "group" ? stage.group.size : 0)));
  let size = 64;
  while (size < 256 && size < widest && size * 2 <= maxWorkgroupSize) size *= 2;
  return size;
}

/** The statements of one kernel as a part: a loop over its elements, the workgroup's threads side by side. */
function writeGroup(context: Context, group: Group): string[] {
  const part = new Part(context, group);
  const begins = part.partialSpecs().map(({ op, variable }) => `var ${variable} = ${INITIAL[op]};`);
  switch (group.kind) {
    case "elementwise": {
      const values = new Map<Tensor, string>();
      const body = new Body(part.point("i", [], values), "v", part.declarations);
      const end = part.epilogue(body, values, "i");
      return [...begins, ...context.loop("i", group.size, [...body.lines, ...end])];
    }
    case "matmul":
      return [...begins, ...product(context, part)];
    case "rows":
      return [...begins, ...rows(context, part)];
    case "combine":
      return combination(context, part);
    default:
      return group.kind satisfies never;
  }
}

function loop(variable: string, count: number, workgroupSize: number, body: readonly string[]): string[] {
  if (count === 1) return [`if (local == 0u) { let ${variable} = 0u;`, ...body.map((line) => `  ${line}`), "}"];
  return [
    `for (var ${variable} = local; ${variable} < ${count}u; ${variable} += ${workgroupSize}u) {`,
    ...body.map((line) => `  ${line}`),
    "}",
  ];
}

function product(context: Context, part: Part): string[] {
  const { root, a, b, M, N, K } = productOf(part.group);
  // As large a tile as still leaves each thread one.
  let [tileM, tileN] = [1, 1];
  const tiles = (m: number, n: number) => Math.ceil(M / m) * Math.ceil(N / n);
  for (const [m, n] of [
    [1, 2],
    [2, 1],
    [1, 3],
    [2, 2],
    [4, 1],
    [1, 4],
    [2, 3],
    [2, 4],
    [4, 2],
    [4, 3],
    [4, 4],
  ] as const) {
    if (m <= M && n <= N && tiles(m, n) >= context.workgroupSize && m * n > tileM * tileN) [tileM, tileN] = [m, n];
  }
  const values = new Map<Tensor, string>([[root, "value"]]);
  const axes: readonly Axis[] = [
    { name: "atRow", length: M },
    { name: "atColumn", length: N },
  ];
  const body = new Body(part.point("i", axes, values), "v", part.declarations);
  const end = part.epilogue(body, values, "i");
  const statements = [`let i = atRow * ${N}u + atColumn;`, ...body.lines, ...end].join(" ");
  const columns = Math.ceil(N / tileN);
  const tile = registerTile({
    M,
    N,
    K,
    tileM,
    tileN,
    kMultiple: K,
    kBegin: "0u",
    kEnd: `${K}u`,
    a: (row, k) => part.load(a.tensor, a.transposed ? `${k} * ${M}u + ${row}` : `${row} * ${K}u + ${k}`),
    b: (k, column) => part.load(b.tensor, b.transposed ? `${column} * ${K}u + ${k}` : `${k} * ${N}u + ${column}`),
    a4: null,
    b4: null,
    epilogue: (row, column, sum) =>
      `{ let atRow = ${row}; let atColumn = ${column}; let value = ${sum}; ${statements} }`,
  });
  return context.loop("tile", tiles(tileM, tileN), [
    `let row = tile / ${columns}u * ${tileM}u;`,
    `let column = tile % ${columns}u * ${tileN}u;`,
    ...tile,
  ]);
}

function rows(context: Context, part: Part): string[] {
  const { split } = part.group;
  if (split === null) throw new Error("internal: rows without a split");
  const { outer, length, inner } = split;
  const count = outer * inner;
  let lanes = 1;
  while (count * lanes * 2 <= context.workgroupSize && lanes * 4 <= length) lanes *= 2;
  const rowsPerGroup = context.workgroupSize / lanes;
  const { lines, usesArgmax } = rowsBody(part, { ...split, lanes, rowsPerGroup });
  const first = `let first = row / ${inner}u * ${length * inner}u + row % ${inner}u;`;
  if (lanes === 1) {
    return context.loop("row", count, [
      "let inRange = true;",
      "let lane = 0u;",
      first,
      `let end = ${length}u;`,
      ...lines,
    ]);
  }
  part.declarations.add(`var<workgroup> laneValues: array<f32, ${context.workgroupSize}>;`);
  if (usesArgmax) part.declarations.add(`var<workgroup> laneIndices: array<i32, ${context.workgroupSize}>;`);
  const [lane, rowLocal] =
    inner === 1 ? [`local % ${lanes}u`, `local / ${lanes}u`] : [`local / ${rowsPerGroup}u`, `local % ${rowsPerGroup}u`];
  return [
    "{",
    `let lane = ${lane};`,
    `let rowLocal = ${rowLocal};`,
    "let row = rowLocal;",
    `let inRange = row < ${count}u;`,
    first,
    `let end = select(0u, ${length}u, inRange);`,
    ...lines,
    "}",
  ];
}

function combination(context: Context, part: Part): string[] {
  const values = new Map<Tensor, string>();
  const totals = part.group.combines.map(({ node, op }) => {
    const total = `total${context.next()}`;
    values.set(node, total);
    return `let ${total} = ${op === "sum" ? "joinSum" : "joinMax"}(${context.variableOf(node)}, local);`;
  });
  const body = new Body(part.point("0u", [], values), "v", part.declarations);
  const stored = part.group.combines.flatMap(({ node }) => part.stored(node, "0u", values.get(node) as string));
  stored.push(...part.epilogue(body, values, "0u"));
  return [...totals, "if (local == 0u) {", ...[...body.lines, ...stored].map((line) => `  ${line}`), "}"];
}
