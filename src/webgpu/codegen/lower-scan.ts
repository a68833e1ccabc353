import type { Tensor } from "../../graph/tensor";
import { elementwiseKernel } from "../../kernels/elementwise";
import { scanKernel } from "../../kernels/scan";
import { type Fusion, type ScanGroup, widthOf } from "../../plan/group";
import { stepStoresOf } from "../../plan/scan-stores";
import type { Storage } from "../../plan/storage";
import { workOf } from "../../plan/work";
import { type KernelStores, type LoweredDispatch, WORD_BYTES } from "./dispatch";
import type { Kernels } from "./kernel-set";
import { Lowering, labelOf } from "./lower";
import type { Context, Places } from "./part";
import { loop } from "./persistent-group";
import { mostTurns, type Target } from "./plan";
import { writeScan } from "./scan-part";
import { type Index, indexText } from "./wgsl";

/** Elements of workgroup memory that reductions along rows share, for each thread. */
const SHARED = 3;

/** Where each storage begins in one memory. */
class Packing {
  readonly offsets = new Map<Storage, number>();
  elements = 0;
  add(storage: Storage): void {
    this.offsets.set(storage, this.elements);
    this.elements += storage.elements;
  }
}

/** The dispatches of a scan: one, or where it has more operands and results than a kernel binds, with copies of some before and after it. */
export function lowerScan(
  fusion: Fusion,
  group: ScanGroup,
  stores: KernelStores,
  target: Target,
  { scatter }: Kernels,
): LoweredDispatch[] {
  const { node, operands, items } = group.scan;
  const workgroupSize = workgroupSizeFor(group, target);
  const { own } = stepStoresOf(group);
  const storagesOf = (tensors: readonly Tensor[]) => [...new Set(tensors.map((tensor) => stores.storageOf(tensor)))];
  const reads = storagesOf(operands.filter((operand) => operand !== null));
  const writes = storagesOf(items.filter((item) => stores.isStored(item)));

  const [memory, packed] = [new Packing(), new Packing()];
  const room = target.maxWorkgroupBytes / WORD_BYTES - (1 + SHARED) * workgroupSize;
  const fits = own.reduce((sum, { elements }) => sum + elements, 0) <= room;
  for (const storage of own) (fits ? memory : packed).add(storage);
  // The smallest are packed, until the others can be bound.
  const bySize = [...reads, ...writes].sort((a, b) => a.elements - b.elements);
  const bound = () => bySize.filter((storage) => !packed.offsets.has(storage)).length;
  for (const storage of bySize) {
    if (bound() + (packed.elements > 0 ? 1 : 0) <= target.maxStorageBuffers) break;
    packed.add(storage);
  }
  const output = writes[writes.length - 1]?.name ?? "nothing";
  const pack: Storage = { name: `packed for ${output}`, elements: packed.elements, dtype: "int32" };

  const lowering = new Lowering(fusion, group, stores);
  const written = new Set(writes);
  const place = (storage: Storage, index: Index, access: "read" | "read_write") => {
    const [inMemory, inPack] = [memory.offsets.get(storage), packed.offsets.get(storage)];
    const type = storage.dtype === "int32" ? "i32" : "f32";
    if (inMemory !== undefined) return { text: `memory[${inMemory}u + ${indexText(index)}]`, from: type, to: "u32" };
    if (inPack !== undefined)
      return { text: `${lowering.bind(pack, "read_write")}[${inPack}u + ${indexText(index)}]`, from: type, to: "i32" };
    return {
      text: `${lowering.bind(storage, written.has(storage) ? "read_write" : access)}[${indexText(index)}]`,
      from: null,
      to: null,
    };
  };
  const places: Places = {
    element: (storage, index) => {
      const { text, from } = place(storage, index, "read");
      return from === null ? text : `bitcast<${from}>(${text})`;
    },
    assign: (storage, index, value) => {
      const { text, to } = place(storage, index, "read_write");
      return to === null ? `${text} = ${value};` : `${text} = bitcast<${to}>(${value});`;
    },
  };
  const functions = new Set<string>();
  const variables = new Map<Tensor, string>();
  const { turns } = lowering;
  let parts = 0;
  const context: Context = {
    fusion,
    stores,
    places,
    functions,
    turns,
    workgroupSize,
    subgroup: false,
    maxOnce: target.software ? 1024 : 64,
    held: false,
    maxTile: 16,
    barrier: () => `${packed.elements > 0 ? "storageBarrier(); " : ""}${turns.barrier()}`,
    scatter: scatter?.scatterPart,
    scan: writeScan,
    variableOf: (tensor) => {
      const known = variables.get(tensor) ?? `begun${variables.size}`;
      variables.set(tensor, known);
      return known;
    },
    next: () => parts++,
    loop: (variable, count, body) => loop(variable, count, workgroupSize, turns, body),
    each: (count, statements) => loop("i", count, workgroupSize, turns, () => statements("i")),
  };
  const body = writeScan(context, group);
  const dispatch = lowering.finish(
    (bindings) =>
      scanKernel({
        workgroupSize,
        elements: memory.elements,
        bindings,
        functions: [...functions].map((text) => `${text}\n`).join(""),
        body,
        turns: turns.total,
        copies: stores.copies,
      }),
    {
      label: labelOf(group),
      output,
      shapes: `${node.body.length} steps, ${group.scan.order.length} operations each, ${memory.elements * WORD_BYTES} bytes of workgroup memory`,
      flops: workOf(fusion, group),
    },
  );
  const isPacked = (storage: Storage) => packed.offsets.has(storage);
  const copies = (storages: readonly Storage[], into: boolean) =>
    batches(storages, target.maxStorageBuffers - 1).map((batch) =>
      copyDispatch(fusion, group, stores, target, batch, { pack, packed, into }),
    );
  return [...copies(reads.filter(isPacked), true), dispatch, ...copies(writes.filter(isPacked), false)];
}

/** Copies storages to their places in the pack, or back. */
function copyDispatch(
  fusion: Fusion,
  group: ScanGroup,
  stores: KernelStores,
  target: Target,
  storages: readonly Storage[],
  { pack, packed, into }: { pack: Storage; packed: Packing; into: boolean },
): LoweredDispatch {
  const lowering = new Lowering(fusion, group, stores);
  const packName = lowering.bind(pack, "read_write");
  const size = Math.max(...storages.map(({ elements }) => elements));
  const body = storages.map((storage) => {
    const here = `${packName}[${packed.offsets.get(storage)}u + i]`;
    const there = `${lowering.bind(storage, into ? "read" : "read_write")}[i]`;
    const line = into
      ? `${here} = bitcast<i32>(${there});`
      : `${there} = bitcast<${storage.dtype === "int32" ? "i32" : "f32"}>(${here});`;
    return storage.elements === size ? line : `if (i < ${storage.elements}u) { ${line} }`;
  });
  const names = storages.map(({ name }) => name).join(", ");
  return lowering.finish(
    (bindings) =>
      elementwiseKernel({
        size,
        workgroupSize: Math.min(target.software ? 16 : 256, target.maxWorkgroupSize),
        bindings,
        body,
        partials: [],
        maxTurns: mostTurns(target),
      }),
    {
      label: into ? "packed for a scan" : "a scan's parts unpacked",
      output: into ? pack.name : names,
      shapes: "",
      flops: 0,
    },
  );
}

function batches<T>(items: readonly T[], size: number): T[][] {
  const made: T[][] = [];
  for (let at = 0; at < items.length; at += size) made.push(items.slice(at, at + size));
  return made;
}

/** As the persistent route's: a GPU's barrier costs about as little for many threads as for few; a software adapter's threads have their price. */
function workgroupSizeFor(group: ScanGroup, { software, maxWorkgroupSize }: Target): number {
  if (software) return 4;
  let size = 64;
  while (size < 256 && size < widthOf(group) && size * 2 <= maxWorkgroupSize) size *= 2;
  return size;
}
