import matmul from "../../shaders/matmul-tiled.wgsl?raw";
import type { KernelText } from "./kernel";
import { beginPartials, finishPartials, finishTurns, partialCount, scratchDeclaration } from "./partials";
import { GRID, gridOf, indent, PART, specialise, times } from "./specialise";
import {
  batchTerm,
  declarations,
  elementOf,
  epilogueFunction,
  type MatmulSpec,
  type MatmulTiling,
  type OperandSpec,
  productTurns,
  sliceLines,
} from "./tiling";

function sums(tileM: number, tileN: number): string[] {
  return times(tileM, (i) => times(tileN, (j) => `var sum${i}_${j} = 0.0;`).join(" "));
}

function products(tileM: number, tileN: number): string[] {
  return times(tileM, (i) => times(tileN, (j) => `sum${i}_${j} += a${i} * b${j};`).join(" "));
}

/** An operand's way into workgroup memory. */
interface TileLoad {
  readonly operand: OperandSpec;
  readonly spec: MatmulSpec;
  readonly tile: "a" | "b";
  /** WGSL of the first row or column of the tile, of how many it has, and of how many the matrix has. */
  readonly first: string;
  readonly count: string;
  readonly extent: "M" | "N";
  /** Whether memory runs along K. */
  readonly alongK: boolean;
  /** Whether every tile lies inside the matrix: then nothing is tested. */
  readonly interior: boolean;
}

/** Lines that bring a part of an operand into workgroup memory, k-major. Neighbouring threads read neighbouring addresses, whichever way it lies. */
function loadTile({ operand, spec, tile, first, count, extent, alongK, interior }: TileLoad): string[] {
  const { name, vectors, batchStride } = operand;
  const width = vectors ? 4 : 1;
  const run = (length: string) => (vectors ? `(${length} / 4u)` : length);
  const part = (length: string) => `i % ${run(length)}${vectors ? " * 4u" : ""}`;
  const [along, k] = alongK ? [`i / ${run("TILE_K")}`, part("TILE_K")] : [part(count), `i / ${run(count)}`];
  const place = batchTerm(operand, spec);
  const index = alongK ? `${place}(${first} + along) * K + k0 + k` : `${place}(k0 + k) * ${extent} + ${first} + along`;
  const inside = `${first} + along < ${extent} && k0 + k < kEnd`;
  const [row, column] = tile === "a" ? [`${first} + along`, "k0 + k"] : ["k0 + k", `${first} + along`];
  const at = vectors ? "index / 4u" : "index";
  const pitch = tile === "a" ? "A_PITCH" : "B_PITCH";
  return [
    `for (var i = local; i < TILE_K * ${count} / ${width}u; i += WORKGROUP) {`,
    `  let along = ${along};`,
    `  let k = ${k};`,
    ...(batchStride === null
      ? [
          `  var value = 0.0;`,
          `  ${interior ? "" : `if (${inside}) `}{ value = ${elementOf(operand, spec, row, column, "")}; }`,
        ]
      : [
          `  let index = ${index};`,
          ...(interior
            ? [`  let value = ${name}[${at}];`]
            : [
                `  let inside = ${inside};`,
                `  let value = select(${vectors ? "vec4f()" : "0.0"}, ${name}[select(0u, ${at}, inside)], inside);`,
              ]),
        ]),
    ...times(width, (i) => {
      const to = alongK ? `(k + ${i}u) * ${pitch} + along` : `k * ${pitch} + along + ${i}u`;
      return `  ${tile}Tile[${to}] = value${vectors ? `.${PART[i]}` : ""};`;
    }),
    "}",
  ];
}

/** Sums of B's columns, which the first row of workgroups takes from the tiles that it reads anyway: a thread a column. */
const COLUMN_SUMS = [
  "if (firstRow == 0u && local < COLUMNS) {",
  "  var part = 0.0;",
  "  for (var k = 0u; k < TILE_K; k++) { part += bTile[k * B_PITCH + local]; }",
  "  columnSum += part;",
  "}",
];

/** A product through workgroup memory. */
export function tiledKernel(spec: MatmulSpec, tiling: MatmulTiling & { kind: "tiled" }): KernelText {
  const { batch, M, N, K, aTransposed, bTransposed, a, b, partials, columns } = spec;
  const { tileM, tileN, tileK, threadsM, threadsN, splits } = tiling;
  const workgroupSize = threadsM * threadsN;
  const workgroups = Math.ceil(M / (tileM * threadsM)) * Math.ceil(N / (tileN * threadsN)) * splits * batch;
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
  const sumsColumns = columns.length > 0;
  const ends = [
    "if (firstRow == 0u && local < COLUMNS && firstColumn + local < N) {",
    ...["let i = firstColumn + local;", ...columns].map((line) => `  ${line}`),
    "}",
  ];
  const wholeK = K % splits === 0 && (K / splits) % tileK === 0;
  const [wholeM, wholeN] = [M % (tileM * threadsM) === 0, N % (tileN * threadsN) === 0];
  const source = specialise(matmul, {
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
      slice: indent(sliceLines(spec, "groupIndex", "GROUPS_M * GROUPS_N"), 2),
      bindings: declarations(spec) + scratchDeclaration(partials, workgroups, workgroupSize),
      epilogue: epilogueFunction(spec, wholeM && wholeN ? null : "row < M && column < N"),
      sums: indent(
        [...beginPartials(partials), ...sums(tileM, tileN), ...(sumsColumns ? ["var columnSum = 0.0;"] : [])],
        2,
      ),
      columnSums: indent(sumsColumns ? COLUMN_SUMS : [], 4),
      loadA: indent(
        loadTile({
          operand: a,
          spec,
          tile: "a",
          first: "firstRow",
          count: "ROWS",
          extent: "M",
          alongK: !aTransposed,
          interior: wholeM && wholeK,
        }),
        4,
      ),
      loadB: indent(
        loadTile({
          operand: b,
          spec,
          tile: "b",
          first: "firstColumn",
          count: "COLUMNS",
          extent: "N",
          alongK: bTransposed,
          interior: wholeN && wholeK,
        }),
        4,
      ),
      products: indent(inner, 6),
      stores: indent([...stores, ...(sumsColumns ? ends : [])], 2),
      after: indent(finishPartials(partials, workgroups, workgroupSize), 2),
    },
  });
  return {
    name: "matmul-tiled",
    source,
    workgroups: gridOf(workgroups),
    partials: partialCount(workgroups, workgroupSize),
    turns: productTurns(tiling, K) + finishTurns(partials, workgroups, workgroupSize),
  };
}
