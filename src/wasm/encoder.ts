/** Binary WebAssembly: numbers, sections and a module of functions without parameters but one. Source: WebAssembly core 2.0, §5. */

export const I32 = 0x7f;
export const V128 = 0x7b;
export type Type = typeof I32 | typeof V128;

export interface ModuleFunction {
  /** Parameters, all i32. */
  readonly parameters: number;
  /** Types of the locals behind the parameters. */
  readonly locals: readonly Type[];
  /** Instructions, without the final `end`. */
  readonly bytes: Bytes;
  readonly name: string;
}

/** Bytes that grow at their end. */
export class Bytes {
  private data = new Uint8Array(64);
  length = 0;

  push(...bytes: readonly number[]): this {
    return this.append(bytes, bytes.length);
  }
  join(other: Bytes): this {
    return this.append(other.data.subarray(0, other.length), other.length);
  }
  /** As a vector of the format: with its length before it. */
  counted(other: Bytes): this {
    return this.push(...unsigned(other.length)).join(other);
  }
  done(): Uint8Array<ArrayBuffer> {
    return this.data.slice(0, this.length);
  }

  private append(bytes: ArrayLike<number>, count: number): this {
    if (this.length + count > this.data.length) {
      const larger = new Uint8Array(2 * (this.length + count));
      larger.set(this.data);
      this.data = larger;
    }
    this.data.set(bytes, this.length);
    this.length += count;
    return this;
  }
}

/** LEB128, as of an unsigned number below 2³². */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const byte = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? byte : byte | 0x80);
  } while (rest !== 0);
  return bytes;
}

/** LEB128 of a signed 32-bit integer. */
export function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const byte = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) return [...bytes, byte];
    bytes.push(byte | 0x80);
  }
}

/** The four bytes of a float32, or of an int32. */
export function word(value: number, dtype: "float32" | "int32"): number[] {
  return [...new Uint8Array((dtype === "int32" ? Int32Array : Float32Array).of(value).buffer)];
}

/** An instruction's bytes: one, or a prefix and a number. 0xfd05 is instruction 5 under the prefix of SIMD. */
export function instruction(code: number): number[] {
  return code < 0x100 ? [code] : [code >>> 12, ...unsigned(code & 0xfff)];
}

/** The code of a vector instruction. Source: core 2.0, §5.4.8. */
export function simd(number: number): number {
  return (0xfd << 12) | number;
}

/** The code of an instruction on memory that threads share. */
export function atomic(number: number): number {
  return (0xfe << 12) | number;
}

const PAGE_BYTES = 65536;

/** Pages of 64 KiB that so many bytes take. */
export function pagesOf(sizeBytes: number): number {
  return Math.ceil(sizeBytes / PAGE_BYTES);
}

/**
 * A module with one memory, one mutable i32 global that starts at `start`, and these functions, all of it exported: "memory" and
 * the functions by their names. Where threads share the memory, it is imported as "wgrad" "memory", with functions of one number, then of
 * none, that come before the others; and two more globals are exported: "thread", which of them an instance is, and "threads", how many.
 */
export function encodeModule(
  sizeBytes: number,
  start: number,
  functions: readonly ModuleFunction[],
  imported: readonly string[] = [],
): Uint8Array<ArrayBuffer> {
  const pages = pagesOf(sizeBytes);
  const shared = imported.length > 0;
  const module = new Bytes().push(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  const section = (id: number, items: readonly (Bytes | readonly number[])[]) => {
    const content = new Bytes().push(...unsigned(items.length));
    for (const item of items) item instanceof Bytes ? content.join(item) : content.push(...item);
    module.push(id).counted(content);
  };
  section(
    1,
    (shared ? [0, 1, 2] : [0, 1]).map((parameters) => [
      0x60,
      parameters,
      ...new Array<number>(parameters).fill(I32),
      0,
    ]),
  );
  const [limits, global] = [
    [...unsigned(pages), ...unsigned(pages)],
    (value: number) => [I32, 1, 0x41, ...signed(value), 0x0b],
  ];
  const from = text("wgrad");
  const given = imported.map((name, i) => [...from, ...text(name), 0, i === 0 ? 1 : 0]);
  if (shared) section(2, [[...from, ...text("memory"), 2, 3, ...limits], ...given]);
  section(
    3,
    functions.map(({ parameters }) => [parameters]),
  );
  if (!shared) section(5, [[1, ...limits]]);
  section(6, [global(start), ...(shared ? [global(0), global(1)] : [])]);
  const globals = shared ? ["thread", "threads"].map((name, i) => [...text(name), 3, 1 + i]) : [];
  section(7, [
    [...text("memory"), 2, 0],
    ...globals,
    ...functions.map(({ name }, i) => [...text(name), 0, ...unsigned(imported.length + i)]),
  ]);
  section(10, functions.map(body));
  return module.done();
}

function body({ locals, bytes }: ModuleFunction): Bytes {
  const runs: [count: number, type: Type][] = [];
  for (const type of locals) {
    const last = runs[runs.length - 1];
    if (last?.[1] === type) last[0]++;
    else runs.push([1, type]);
  }
  const content = new Bytes().push(...unsigned(runs.length));
  for (const [count, type] of runs) content.push(...unsigned(count), type);
  return new Bytes().counted(content.join(bytes).push(0x0b));
}

/** A name of ASCII letters. */
function text(name: string): number[] {
  return [name.length, ...Array.from(name, (letter) => letter.charCodeAt(0))];
}
