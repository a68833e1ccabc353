import type { Tensor } from "../graph/tensor";
import { type Partial as Begun, INITIAL } from "../kernels/partials";
import { persistentKernel } from "../kernels/persistent";
import { registerTile } from "../kernels/register-tile";
import type { Fusion, Group } from "./group";
import { type LoweredDispatch, labelOf, opsOf, type Storage, type Stores } from "./lower";
import { place } from "./place";
import type { Target } from "./plan";
import { rowsBody } from "./rows";
import { readsOf } from "./schedule";
import { asFloat, Site } from "./site";
import { type Axis, Body } from "./wgsl";

/** What a storage of a program is when it runs whole: kept in workgroup memory, or read where it lies. */
export interface Residents {
  /** Storages that live beyond a step, and whether the program changes them. */
  readonly resident: readonly { readonly storage: Storage; readonly access: "read" | "read_write" }[];
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
  { resident, history }: Residents,
  target: Target,
): LoweredDispatch | null {
  const workgroupSize = workgroupSizeFor(order, target);
  const layout = layOut(fusion, order, stores, resident, target.maxWorkgroupBytes / 4 - 3 * workgroupSize);
  if (layout === null) return null;

  const bound = [...resident, ...(history ? [{ storage: history, access: "read_write" as const }] : [])];
  const names = new Map(bound.map(({ storage }, i) => [storage, storage === history ? "history" : `buffer${i}`]));
  const bindings = bound.map(
    ({ storage, access }, i) =>
      `@group(0) @binding(${i}) var<storage, ${access}> ${names.get(storage)}: array<${storage.dtype === "int32" ? "i32" : "f32"}>;`,
  );
  bindings.push(`@group(0) @binding(${bound.length}) var<uniform> run: vec4u;`);
  if (bound.length > target.maxStorageBuffers) return null;

  const functions = new Set<string>();
  const step: string[] = [];
  const places: Places = {
    element: (storage, index) => {
      const offset = layout.offsets.get(storage);
      if (offset === undefined) return `${names.get(storage)}[${index}]`;
      const at = `memory[${offset}u + ${index}]`;
      return storage.dtype === "int32" ? `bitcast<i32>(${at})` : at;
    },
    assign: (storage, index, value) => {
      const offset = layout.offsets.get(storage) as number;
      return `memory[${offset}u + ${index}] = ${storage.dtype === "int32" ? `bitcast<f32>(${value})` : value};`;
    },
  };
  const variables = new Map<Tensor, string>();
  let parts = 0;
  const context: Context = {
    fusion,
    stores,
    places,
    functions,
    workgroupSize,
    variableOf: (node) => {
      const known = variables.get(node) ?? `begun${variables.size}`;
      variables.set(node, known);
      return known;
    },
    next: () => parts++,
  };
  // A barrier stands only where a kernel touches what another one since the last barrier has written, or overwrites what it read.
  const pending = { read: new Set<number>(), written: new Set<number>() };
  for (const group of order) {
    const touches = layout.touches.get(group) as Touches;
    const waits =
      [...touches.reads].some((slot) => pending.written.has(slot)) ||
      [...touches.writes].some((slot) => pending.written.has(slot) || pending.read.has(slot));
    if (waits) {
      step.push("workgroupBarrier();");
      pending.read.clear();
      pending.written.clear();
    }
    for (const slot of touches.reads) pending.read.add(slot);
    for (const slot of touches.writes) pending.written.add(slot);
    step.push(...writeGroup(context, group));
  }
  if (fusion.tail !== null)
    step.push("if (recorded) {", ...writeGroup(context, fusion.tail).map((line) => `  ${line}`), "}");

  const copies = (direction: "load" | "store") =>
    resident.flatMap(({ storage, access }) => {
      const offset = layout.offsets.get(storage);
      if (offset === undefined || (direction === "store" && access === "read")) return [];
      const outside = `${names.get(storage)}[i]`;
      const line =
        direction === "load" ? places.assign(storage, "i", outside) : `${outside} = ${places.element(storage, "i")};`;
      return [`for (var i = local; i < ${storage.elements}u; i += ${workgroupSize}u) { ${line} }`];
    });
  const kernel = persistentKernel({
    workgroupSize,
    elements: layout.elements,
    bindings: bindings.map((line) => `${line}\n`).join(""),
    functions: [...functions].map((text) => `${text}\n`).join(""),
    load: copies("load"),
    step,
    store: copies("store"),
  });
  return {
    kernel,
    label: order.map(labelOf).join("; "),
    bindings: bound,
    usesSlot: true,
    flops: order.reduce((sum, group) => sum + workOf(fusion, group), 0),
    bytes: 0,
    output: "a whole step",
    shapes: `${order.length} operations, ${layout.elements * 4} bytes of workgroup memory`,
  };
}

/** Arithmetic of a kernel's work in one step. */
export function workOf(fusion: Fusion, group: Group): number {
  const K = group.root?.operands[0]?.shape[1] ?? 0;
  return (2 * K + opsOf(fusion, group)) * group.size;
}

/** On a GPU a barrier costs about as little for many threads as for few; on a software adapter each thread has its price. */
function workgroupSizeFor(order: readonly Group[], target: Target): number {
  if (target.software) return 4;
  const widest = Math.max(...order.map(({ size }) => size));
  let size = 64;
  while (size < 256 && size < widest && size * 2 <= target.maxWorkgroupSize) size *= 2;
  return size;
}

interface Touches {
  readonly reads: Set<number>;
  readonly writes: Set<number>;
}

interface Layout {
  /** Where a storage begins in workgroup memory; what is not here is read where it lies. */
  readonly offsets: ReadonlyMap<Storage, number>;
  readonly elements: number;
  readonly touches: ReadonlyMap<Group, Touches>;
}

/** Places everything a step touches in `capacity` elements; inputs and constants may stay outside, the smallest come in first. */
function layOut(
  fusion: Fusion,
  order: readonly Group[],
  stores: Stores,
  resident: Residents["resident"],
  capacity: number,
): Layout | null {
  const spans = new Map<Storage, [number, number]>();
  const used = new Map<Group, { reads: Storage[]; writes: Storage[] }>();
  order.forEach((group, at) => {
    const reads = [...readsOf(fusion, group)].map((tensor) => stores.storageOf(tensor));
    const values = [group.root, ...group.members, ...group.combines.map(({ node }) => node)];
    const writes = values
      .filter((node): node is Tensor => node !== null && stores.isStored(node))
      .map((node) => stores.storageOf(node));
    used.set(group, { reads, writes });
    for (const storage of [...reads, ...writes]) spans.set(storage, [spans.get(storage)?.[0] ?? at, at]);
  });
  const lasting = new Set(resident.map(({ storage }) => storage));
  const outside = new Set(resident.filter(({ access }) => access === "read").map(({ storage }) => storage));
  const inside = [...new Set([...resident.map(({ storage }) => storage), ...spans.keys()])].filter(
    (storage) => !outside.has(storage),
  );
  const pack = (storages: readonly Storage[]) => {
    const { slotOf, slots } = place(
      storages.map((storage) => ({
        bytes: storage.elements,
        span: lasting.has(storage) ? null : (spans.get(storage) ?? null),
      })),
    );
    const begins: number[] = [];
    let elements = 0;
    for (const size of slots) {
      begins.push(elements);
      elements += size;
    }
    return { elements, slotOf, begins };
  };
  if (pack(inside).elements > capacity) return null;
  for (const storage of [...outside].sort((a, b) => a.elements - b.elements)) {
    if (pack([...inside, storage]).elements <= capacity) inside.push(storage);
  }
  const { elements, slotOf, begins } = pack(inside);
  const slot = new Map(inside.map((storage, i) => [storage, slotOf[i] as number]));
  const slotsOf = (storages: readonly Storage[]) => new Set(storages.flatMap((storage) => slot.get(storage) ?? []));
  return {
    offsets: new Map(inside.map((storage, i) => [storage, begins[slotOf[i] as number] as number])),
    elements,
    touches: new Map(
      [...used].map(([group, { reads, writes }]) => [group, { reads: slotsOf(reads), writes: slotsOf(writes) }]),
    ),
  };
}

interface Places {
  element(storage: Storage, index: string): string;
  assign(storage: Storage, index: string, value: string): string;
}

interface Context {
  readonly fusion: Fusion;
  readonly stores: Stores;
  readonly places: Places;
  readonly functions: Set<string>;
  readonly workgroupSize: number;
  /** The variable in which a thread begins a reduction to one number. Numbered by use, so that equal programs give equal text. */
  variableOf(node: Tensor): string;
  /** A number that no other part of the kernel has. */
  next(): number;
}

/** A part of the persistent kernel. */
class Part extends Site {
  override readonly declarations: Set<string>;

  constructor(
    private readonly context: Context,
    group: Group,
  ) {
    super(context.fusion, group);
    this.declarations = context.functions;
  }

  override load(tensor: Tensor, index: string): string {
    return this.context.places.element(this.context.stores.storageOf(tensor), index);
  }

  override stored(node: Tensor, index: string, value: string): string[] {
    const { stores, places } = this.context;
    const lines = stores
      .recordsOf(node)
      .map((at) => `if (recorded) { history[record * ${stores.recordSize}u + ${at}u] = ${asFloat(node, value)}; }`);
    if (stores.isStored(node)) lines.push(places.assign(stores.storageOf(node), index, value));
    return lines;
  }

  override partialSpecs(): Begun[] {
    return this.group.partials.map(({ node, op }) => ({ op, variable: this.context.variableOf(node) }));
  }
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
      return [...begins, ...loop("i", group.size, context, [...body.lines, ...end])];
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

function loop(variable: string, count: number, { workgroupSize }: Context, body: readonly string[]): string[] {
  if (count === 1) return [`if (local == 0u) { let ${variable} = 0u;`, ...body.map((line) => `  ${line}`), "}"];
  return [
    `for (var ${variable} = local; ${variable} < ${count}u; ${variable} += ${workgroupSize}u) {`,
    ...body.map((line) => `  ${line}`),
    "}",
  ];
}

function product(context: Context, part: Part): string[] {
  const { root, a, b } = part.group;
  if (root === null || a === null || b === null) throw new Error("internal: a product without operands");
  const [M, N] = root.shape as readonly [number, number];
  const K = (root.operands[0] as Tensor).shape[1] as number;
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
  return loop("tile", tiles(tileM, tileN), context, [
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
    return loop("row", count, context, [
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
