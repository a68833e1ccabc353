import type { PartialSpec } from "./partials";
import { indent } from "./specialise";

/**
 * How a product is cut up. "direct" reads storage; "subgroup" does too, each element of A once for all threads of a subgroup;
 * "tiled" goes through workgroup memory. `tileM` and `tileN` are of one thread.
 */
export type MatmulTiling =
  | {
      readonly kind: "direct";
      readonly tileM: number;
      readonly tileN: number;
      readonly splits: number;
      readonly workgroupSize: number;
    }
  | {
      readonly kind: "subgroup";
      readonly tileM: number;
      readonly tileN: number;
      readonly splits: number;
      readonly subgroupSize: number;
      /** Whether each sum is a variable, or all lie in an array: which compiles sooner, and takes a little longer to run. */
      readonly variables: boolean;
    }
  | {
      readonly kind: "tiled";
      readonly tileM: number;
      readonly tileN: number;
      readonly tileK: number;
      readonly threadsM: number;
      readonly threadsN: number;
      readonly splits: number;
    };

export interface MatmulSpec {
  /** So many products, one after another. */
  readonly batch: number;
  /** Whether there are copies of the program, so that what follows a sum asks for `copy`. */
  readonly copies?: boolean;
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly aTransposed: boolean;
  readonly bTransposed: boolean;
  readonly tiling: MatmulTiling;
  readonly bindings: string;
  readonly a: OperandSpec;
  readonly b: OperandSpec;
  /** WGSL statements at `row`, `column`, `i` (the flat index) and `split`, with `value` the sum. */
  readonly epilogue: readonly string[];
  readonly partials: readonly PartialSpec[];
  /** WGSL statements at column `i`, with `columnSum` the sum of B's column; none where nobody wants it. Tiled products only. */
  readonly columns: readonly string[];
}

/** An operand as WGSL. */
export interface OperandSpec {
  /** The name of its buffer; or of the function that gives its element by (row, k) or (k, column), where it is read through a view. */
  readonly name: string;
  /** Elements from one product's matrix to the next one's; null where `name` is a function. */
  readonly batchStride: number | null;
  /** Whether it is bound as array<vec4f>. */
  readonly vectors: boolean;
  /**
   * Whether the function `name` takes a place instead: the sum of what `nameAlong(k)` and `nameAcross(row or column)` give, of one type, of
   * which the second stays the same along K.
   */
  readonly separate: boolean;
  /** The text of its functions; else empty. */
  readonly text: string;
}

/** WGSL of what a matrix begins with in its buffer, as the first term of an index; empty where that is 0. */
export function batchTerm({ batchStride }: OperandSpec, { batch }: MatmulSpec): string {
  return batch === 1 || !batchStride ? "" : `batch * ${batchStride}u + `;
}

/** WGSL of an operand's element, given those of its two indices, and of its index in a matrix. */
export function elementOf(
  operand: OperandSpec,
  spec: MatmulSpec,
  first: string,
  second: string,
  index: string,
): string {
  const { name, batchStride, separate } = operand;
  if (separate) {
    const [along, across] = operand === spec.a ? [second, first] : [first, second];
    return `${name}(${name}Across(${across}) + ${name}Along(${along}))`;
  }
  return batchStride === null ? `${name}(${first}, ${second})` : `${name}[${batchTerm(operand, spec)}${index}]`;
}

/** Lines in which a thread learns its `split`, and its product in the batch; `split` is SPLITS or more beyond the last. `of` counts so many `tiles` for each. */
export function sliceLines({ batch, copies }: MatmulSpec, of: string, tiles: string): string[] {
  const copy = copies ? ["copy = group.z;"] : [];
  if (batch === 1) return [...copy, `let split = ${of} / (${tiles});`];
  return [
    ...copy,
    // What is in a variable of the module is not uniform to a compiler, and barriers may come behind.
    `let place = ${of} / (${tiles} * SPLITS);`,
    `let split = select(SPLITS, ${of} / (${tiles}) % SPLITS, place < ${batch}u);`,
    "batch = place;",
  ];
}

/** What a kernel's functions and its main function share. */
export function declarations({ batch, copies, bindings, a, b }: MatmulSpec): string {
  return `${bindings}${copies ? "var<private> copy: u32;\n" : ""}${batch === 1 ? "" : "var<private> batch: u32;\n"}${a.text}${b.text}`;
}

/** Elements of K that one split covers: whole vectors, and whole turns of a quad. */
export function chunkOf(K: number, splits: number): number {
  return splits === 1 ? K : Math.ceil(K / splits / 4) * 4;
}

/** The function that takes an element's sum, where `beginPartials` stands in what calls it; `inside` is what must hold of `row` and `column`, where an edge is to be looked after. */
export function epilogueFunction({ batch, partials, epilogue }: MatmulSpec, inside: string | null): string {
  const body = [`let i = ${batch === 1 ? "" : "batch * (M * N) + "}row * N + column;`, ...epilogue];
  const lines = inside === null ? body : [`if (${inside}) {`, ...body.map((line) => `  ${line}`), "}"];
  return [
    ...partials.map(({ variable }) => `var<private> ${variable}: f32;\n`),
    "fn epilogue(row: u32, column: u32, split: u32, value: f32) {\n",
    indent(lines, 2),
    "}\n",
  ].join("");
}

/** Whether the kernel can read an operand four elements at a time: its rows in memory are whole vectors, and tiles begin with one. */
export function readsVectors(
  size: { M: number; N: number; K: number; views?: { a: boolean; b: boolean } },
  tiling: MatmulTiling,
  transposed: { a: boolean; b: boolean },
): { a: boolean; b: boolean } {
  const { a, b } = wholeVectors(size, tiling, transposed);
  const { views } = size;
  return { a: a && !views?.a, b: b && !views?.b };
}

function wholeVectors(
  { M, N, K }: { M: number; N: number; K: number },
  tiling: MatmulTiling,
  transposed: { a: boolean; b: boolean },
): { a: boolean; b: boolean } {
  const whole = (length: number, along: number) => length % 4 === 0 && along % 4 === 0;
  if (tiling.kind === "tiled") {
    const { tileM, tileN, tileK, threadsM, threadsN, splits } = tiling;
    const alongK = whole(K, tileK) && (splits === 1 || Math.ceil(K / splits) % 4 === 0);
    return {
      a: transposed.a ? whole(M, tileM * threadsM) : alongK,
      b: transposed.b ? alongK : whole(N, tileN * threadsN),
    };
  }
  // Of four k in a vector each thread of a quad would want another first.
  if (tiling.kind === "subgroup") return { a: false, b: !transposed.b && whole(N, tiling.tileN) };
  return {
    a: transposed.a ? whole(M, tiling.tileM) : K % 4 === 0,
    b: transposed.b ? K % 4 === 0 : whole(N, tiling.tileN),
  };
}

/** Turns of all its loops that a thread of a product makes at most, but for what ends partial results. */
export function productTurns(tiling: MatmulTiling, K: number): number {
  const chunk = chunkOf(K, tiling.splits);
  switch (tiling.kind) {
    // Where K is more than 1 at least two of it are one turn.
    case "direct":
      return Math.ceil(chunk / 2) + 4;
    case "subgroup":
      return Math.ceil(chunk / 4) + 1 + tiling.tileM * (tiling.tileN + 2) + 1;
    case "tiled": {
      const { tileM, tileN, tileK, threadsM, threadsN } = tiling;
      const loads = Math.ceil((tileK * tileM) / threadsN) + Math.ceil((tileK * tileN) / threadsM) + 2;
      // Along K once for the products, and once where columns are summed.
      return Math.ceil(chunk / tileK) * (1 + loads + 2 * (tileK + 1)) + 1;
    }
    default:
      return tiling satisfies never;
  }
}

/** The tiling, K in as many more parts as it takes for no thread to make more turns than it may. */
export function withinTurns(tiling: MatmulTiling, K: number, maxTurns: number): MatmulTiling {
  let within = tiling;
  while (productTurns(within, K) > maxTurns && within.splits < K) within = { ...within, splits: 2 * within.splits };
  return within;
}
