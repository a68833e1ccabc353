import { joinedCopies, valuesOfCopy } from "../graph/copies";
import type { Copies, Program } from "../graph/program";
import type { Arrays, KernelTime } from "../runner";
import { TURNS } from "../util/event-loop";
import type { Compiled } from "./compile";
import { type Buffer, sizeBytesOf } from "./layout";
import { WasmRunner } from "./runner";

/** Buffers this near to one another are taken in one piece: what lies between them is nobody's. */
const GAP_BYTES = 64;

/**
 * What lasts of each copy of a program, beside the one working memory: a copy is brought there before its steps and kept after them, so
 * that what is compiled, and its bits, are those of the program alone.
 */
class CopyTable {
  /** Elements of one copy. */
  private readonly pieces: readonly { readonly memory: Int32Array; readonly at: number }[];
  private readonly table: Int32Array;
  private readonly kept: readonly (readonly Int32Array[])[];
  private own: readonly { readonly memory: Float32Array | Int32Array; readonly each: readonly ArrayLike<number>[] }[] =
    [];

  constructor(
    private readonly copies: Copies,
    lasting: readonly Buffer[],
    memory: ArrayBufferLike,
  ) {
    const found: { begin: number; end: number }[] = [];
    for (const buffer of [...lasting].sort((a, b) => a.address - b.address)) {
      const { address } = buffer;
      const end = address + sizeBytesOf(buffer);
      const last = found[found.length - 1];
      if (last && address - last.end < GAP_BYTES) last.end = end;
      else found.push({ begin: address, end });
    }
    let elements = 0;
    this.pieces = found.map(({ begin, end }) => {
      const at = elements;
      const words = (end - begin) / Int32Array.BYTES_PER_ELEMENT;
      elements += words;
      return { memory: new Int32Array(memory, begin, words), at };
    });
    this.table = new Int32Array(copies.count * elements);
    this.kept = Array.from({ length: copies.count }, (_, copy) =>
      this.pieces.map(({ memory, at }) =>
        this.table.subarray(copy * elements + at, copy * elements + at + memory.length),
      ),
    );
  }

  get sizeBytes(): number {
    return this.table.byteLength;
  }

  get count(): number {
    return this.copies.count;
  }

  /** The inputs that each copy has for itself, from here on; gives the others. */
  take(inputs: Arrays, viewOf: (name: string) => Float32Array | Int32Array): Arrays {
    const { own, count } = this.copies;
    const names = Object.keys(inputs);
    this.own = names
      .filter((name) => own.has(name))
      .map((name) => ({
        memory: viewOf(name),
        each: Array.from({ length: count }, (_, copy) => valuesOfCopy(inputs[name] as Arrays[string], copy, count)),
      }));
    return Object.fromEntries(
      names.filter((name) => !own.has(name)).map((name) => [name, inputs[name] as Arrays[string]]),
    );
  }

  /** Puts a copy into the working memory, its own inputs with it. */
  bring(copy: number): void {
    const kept = this.kept[copy] as readonly Int32Array[];
    this.pieces.forEach(({ memory }, i) => {
      memory.set(kept[i] as Int32Array);
    });
    for (const { memory, each } of this.own) memory.set(each[copy] as ArrayLike<number>);
  }

  keep(copy: number): void {
    const kept = this.kept[copy] as readonly Int32Array[];
    this.pieces.forEach(({ memory }, i) => {
      (kept[i] as Int32Array).set(memory);
    });
  }
}

type Named = Record<string, Float32Array>;

/** Copies of a program, one after another in the same module. */
export class WasmCopies extends WasmRunner {
  private readonly table: CopyTable;
  /** What is in its place all the time. */
  private readonly shared: ReadonlySet<Buffer>;
  protected override readonly copies: number;

  constructor(compiled: Compiled, exports: WebAssembly.Exports, relaxed: boolean, program: Program) {
    super(compiled, exports, relaxed, program);
    const copies = program.copies ?? { count: 1, own: new Set(), shared: new Set() };
    this.shared = new Set([...copies.shared].flatMap((name) => compiled.parameters.get(name) ?? []));
    const lasting = compiled.buffers.filter(
      (buffer) => (buffer.role === "parameter" || buffer.role === "output") && !this.shared.has(buffer),
    );
    this.table = new CopyTable(copies, lasting, this.memory);
    this.copies = copies.count;
    this.sizeBytes += this.table.sizeBytes;
  }

  override write(values: Arrays): void {
    const isShared = ([name]: [string, unknown]) => this.shared.has(this.compiled.parameters.get(name) as Buffer);
    const all = Object.entries(values);
    super.write(Object.fromEntries(all.filter(isShared)));
    const own = all.filter((entry) => !isShared(entry));
    if (own.length === 0) return;
    for (let copy = 0; copy < this.copies; copy++) {
      this.table.bring(copy);
      super.write(Object.fromEntries(own.map(([name, array]) => [name, valuesOfCopy(array, copy, this.copies)])));
      this.table.keep(copy);
    }
  }

  /** A buffer's values in all copies. */
  protected override get(buffer: Buffer): Float32Array {
    if (this.shared.has(buffer)) return super.get(buffer);
    const values = new Float32Array(this.copies * buffer.elements);
    for (let copy = 0; copy < this.copies; copy++) {
      this.table.bring(copy);
      values.set(this.view(buffer), copy * buffer.elements);
    }
    return values;
  }

  /** All copies are at the same step whenever a run ends, and between two of them others have their turn. */
  protected override async advance(count: number, record: (copy: number) => void): Promise<number> {
    let start = performance.now();
    let tookMs = 0;
    for (let copy = 0; copy < this.copies; copy++) {
      if (copy > 0 && TURNS.leftMs <= 0) {
        tookMs += performance.now() - start;
        await TURNS.given();
        start = performance.now();
      }
      this.table.bring(copy);
      this.steps(count);
      this.table.keep(copy);
      record(copy);
    }
    return tookMs + performance.now() - start;
  }

  protected override setInputs(inputs: Arrays): void {
    const { inputs: buffers } = this.compiled;
    super.setInputs(this.table.take(inputs, (name) => this.view(buffers.get(name) as Buffer)));
  }

  override async trial(inputs: Arrays): Promise<{ outputs: Named; updates: Named }> {
    this.setInputs(inputs);
    const { scalars, outputs, parameters, history } = this.compiled;
    const each = Array.from({ length: this.copies }, (_, copy) => {
      this.table.bring(copy);
      this.steps(1);
      const all = (buffers: ReadonlyMap<string, Buffer>): Named =>
        Object.fromEntries([...buffers].map(([name, buffer]) => [name, new Float32Array(this.view(buffer))]));
      const record = scalars.map((name, i) => [name, Float32Array.of(this.view(history)[i] as number)] as const);
      return { outputs: { ...all(outputs), ...Object.fromEntries(record) }, updates: all(parameters) };
    });
    const joined = (part: "outputs" | "updates"): Named =>
      Object.fromEntries(
        Object.keys(each[0]?.[part] ?? {}).map((name) => [
          name,
          joinedCopies(each.map((copy) => copy[part][name] as Float32Array)),
        ]),
      );
    return { outputs: joined("outputs"), updates: joined("updates") };
  }

  override explain(): string {
    return `${super.explain()}\n${this.copies} copies one after another, ${this.table.sizeBytes} B`;
  }

  /** Of the first copy. */
  override async profile(inputs: Arrays, steps: number): Promise<KernelTime[]> {
    this.setInputs(inputs);
    this.table.bring(0);
    return super.profile(inputs, steps);
  }
}
