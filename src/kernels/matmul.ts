import tiled from "../../shaders/matmul.wgsl?raw";
import direct from "../../shaders/product.wgsl?raw";
import type { KernelText } from "./kernel";
import { finishPartials, INITIAL, type PartialSpec, partialCount, scratchDeclaration } from "./partials";
import { GRID, gridOf, indent, specialise } from "./specialise";

/** How a product is cut up. "direct" reads storage, "tiled" goes through workgroup memory. */
export type MatmulTiling =
  | {
      readonly kind: "direct";
      readonly tileM: number;
      readonly tileN: number;
      readonly splits: number;
      readonly workgroupSize: number;
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
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly aTransposed: boolean;
  readonly bTransposed: boolean;
  readonly tiling: MatmulTiling;
  readonly bindings: string;
  /** WGSL names of the operands' buffers. */
  readonly a: string;
  readonly b: string;
  /** WGSL statements at `row`, `column`, `i` (the flat index) and `split`, with `value` the sum. */
  readonly epilogue: readonly string[];
  readonly partials: readonly PartialSpec[];
}

export function matmulKernel(spec: MatmulSpec): KernelText {
  return spec.tiling.kind === "direct" ? directKernel(spec, spec.tiling) : tiledKernel(spec, spec.tiling);
}

const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

function sums(tileM: number, tileN: number): string[] {
  return times(tileM, (i) => times(tileN, (j) => `var sum${i}_${j} = 0.0;`).join(" "));
}

/** `unroll` steps of k at once: fewer turns of the loop, and sums of sums, whose rounding error grows more slowly. */
function products(tileM: number, tileN: number, unroll = 1): string[] {
  const term = (i: number, j: number) =>
    pairwise(times(unroll, (u) => (unroll === 1 ? `a${i} * b${j}` : `a${i}_${u} * b${j}_${u}`)));
  return times(tileM, (i) => times(tileN, (j) => `sum${i}_${j} += ${term(i, j)};`).join(" "));
}

function pairwise(terms: readonly string[]): string {
  if (terms.length <= 2) return terms.join(" + ");
  const half = terms.length >> 1;
  return `(${pairwise(terms.slice(0, half))}) + (${pairwise(terms.slice(half))})`;
}

function epilogueFunction(spec: MatmulSpec, guarded: boolean): string {
  const { partials, epilogue } = spec;
  const body = ["let i = row * N + column;", ...epilogue];
  const lines = guarded ? ["if (row < M && column < N) {", ...body.map((line) => `  ${line}`), "}"] : body;
  return [
    ...partials.map(({ op, variable }) => `var<private> ${variable} = ${INITIAL[op]};\n`),
    "fn epilogue(row: u32, column: u32, split: u32, value: f32) {\n",
    indent(lines, 2),
    "}\n",
  ].join("");
}

export interface DirectTile {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly tileM: number;
  readonly tileN: number;
  /** Every part of K is a multiple of this. */
  readonly kMultiple: number;
  /** WGSL of the bounds of k. */
  readonly kBegin: string;
  readonly kEnd: string;
  /** WGSL of an operand's element. */
  a(row: string, k: string): string;
  b(k: string, column: string): string;
  /** WGSL statement for each element's sum. */
  epilogue(row: string, column: string, sum: string): string;
}

/** One thread's tile at `row` and `column`: sums in registers, operands straight from memory, edges looked after. */
export function directTile({ M, N, K, tileM, tileN, kMultiple, kBegin, kEnd, a, b, epilogue }: DirectTile): string[] {
  // Only where tiles do not divide the product is there an edge to look after.
  const [edgeM, edgeN] = [M % tileM !== 0, N % tileN !== 0];
  const within = (i: number, j: number) =>
    [edgeM && i > 0 ? `row + ${i}u < ${M}u` : "", edgeN && j > 0 ? `column + ${j}u < ${N}u` : ""]
      .filter((test) => test !== "")
      .join(" && ");
  const unroll = Math.min(tileM * tileN <= 16 ? 4 : 2, K);
  const step = (unrolled: number): string[] => {
    const name = (operand: string, i: number, u: number) => (unrolled === 1 ? `${operand}${i}` : `${operand}${i}_${u}`);
    const at = (u: number) => (u === 0 ? "k" : `(k + ${u}u)`);
    const lines = [
      ...times(tileM, (i) => times(unrolled, (u) => `let ${name("a", i, u)} = ${a(`row${i}`, at(u))};`)).flat(),
      ...times(tileN, (j) => times(unrolled, (u) => `let ${name("b", j, u)} = ${b(at(u), `column${j}`)};`)).flat(),
      ...products(tileM, tileN, unrolled),
    ];
    return lines.map((line) => `  ${line}`);
  };
  return [
    ...times(tileM, (i) => `let row${i} = ${edgeM && i > 0 ? `min(row + ${i}u, ${M - 1}u)` : `row + ${i}u`};`),
    ...times(tileN, (j) => `let column${j} = ${edgeN && j > 0 ? `min(column + ${j}u, ${N - 1}u)` : `column + ${j}u`};`),
    ...sums(tileM, tileN),
    `var k = ${kBegin};`,
    ...(unroll > 1 ? [`for (; k + ${unroll}u <= ${kEnd}; k += ${unroll}u) {`, ...step(unroll), "}"] : []),
    ...(unroll === 1 || kMultiple % unroll !== 0 ? [`for (; k < ${kEnd}; k++) {`, ...step(1), "}"] : []),
    ...times(tileM, (i) =>
      times(tileN, (j) => {
        const test = within(i, j);
        const call = epilogue(`row + ${i}u`, `column + ${j}u`, `sum${i}_${j}`);
        return test === "" ? call : `if (${test}) { ${call} }`;
      }),
    ).flat(),
  ];
}

function directKernel(spec: MatmulSpec, tiling: MatmulTiling & { kind: "direct" }): KernelText {
  const { M, N, K, aTransposed, bTransposed, a, b, partials } = spec;
  const { tileM, tileN, splits, workgroupSize } = tiling;
  const threads = Math.ceil(M / tileM) * Math.ceil(N / tileN) * splits;
  const workgroups = Math.ceil(threads / workgroupSize);
  const chunk = Math.ceil(K / splits);
  const lines = directTile({
    M,
    N,
    K,
    tileM,
    tileN,
    kMultiple: splits === 1 ? K : chunk % 4 === 0 && K % 4 === 0 ? 4 : 1,
    kBegin: "split * K_CHUNK",
    kEnd: "kEnd",
    a: (row, k) => `${a}[${aTransposed ? `${k} * M + ${row}` : `${row} * K + ${k}`}]`,
    b: (k, column) => `${b}[${bTransposed ? `${column} * K + ${k}` : `${k} * N + ${column}`}]`,
    epilogue: (row, column, sum) => `epilogue(${row}, ${column}, split, ${sum});`,
  });
  const source = specialise(direct, {
    constants: {
      M,
      N,
      K,
      A_TRANSPOSED: aTransposed,
      B_TRANSPOSED: bTransposed,
      TILE_M: tileM,
      TILE_N: tileN,
      SPLITS: splits,
      WORKGROUP: workgroupSize,
      GRID,
    },
    blocks: {
      bindings: spec.bindings + scratchDeclaration(partials, workgroups, workgroupSize),
      epilogue: epilogueFunction(spec, false),
      tile: indent(lines, 4),
      after: indent(finishPartials(partials, workgroups, workgroupSize), 2),
      indexing: "",
    },
  });
  return { name: "product", source, workgroups: gridOf(workgroups), partials: partialCount(workgroups, workgroupSize) };
}

function tiledKernel(spec: MatmulSpec, tiling: MatmulTiling & { kind: "tiled" }): KernelText {
  const { M, N, K, aTransposed, bTransposed, a, b, partials } = spec;
  const { tileM, tileN, tileK, threadsM, threadsN, splits } = tiling;
  const workgroupSize = threadsM * threadsN;
  const workgroups = Math.ceil(M / (tileM * threadsM)) * Math.ceil(N / (tileN * threadsN)) * splits;
  const at = (thread: string, step: string, i: number) => (i === 0 ? thread : `${thread} + ${i}u * ${step}`);
  const inner = [
    ...times(tileM, (i) => `let a${i} = aTile[k * A_PITCH + ${at("threadRow", "THREADS_M", i)}];`),
    ...times(tileN, (j) => `let b${j} = bTile[k * B_PITCH + ${at("threadColumn", "THREADS_N", j)}];`),
    ...products(tileM, tileN),
  ];
  const stores = times(tileM, (i) =>
    times(
      tileN,
      (j) =>
        `epilogue(firstRow + ${at("threadRow", "THREADS_M", i)}, firstColumn + ${at("threadColumn", "THREADS_N", j)}, split, sum${i}_${j});`,
    ),
  ).flat();
  const source = specialise(tiled, {
    constants: {
      M,
      N,
      K,
      A_TRANSPOSED: aTransposed,
      B_TRANSPOSED: bTransposed,
      TILE_M: tileM,
      TILE_N: tileN,
      TILE_K: tileK,
      THREADS_M: threadsM,
      THREADS_N: threadsN,
      SPLITS: splits,
      GRID,
    },
    blocks: {
      bindings: spec.bindings + scratchDeclaration(partials, workgroups, workgroupSize),
      epilogue: epilogueFunction(spec, true),
      sums: indent(sums(tileM, tileN), 2),
      loadA: `      aTile[k * A_PITCH + m] = select(0.0, ${a}[select(0u, index, inside)], inside);\n`,
      loadB: `      bTile[k * B_PITCH + n] = select(0.0, ${b}[select(0u, index, inside)], inside);\n`,
      products: indent(inner, 6),
      stores: indent(stores, 2),
      after: indent(finishPartials(partials, workgroups, workgroupSize), 2),
    },
  });
  return { name: "matmul", source, workgroups: gridOf(workgroups), partials: partialCount(workgroups, workgroupSize) };
}
