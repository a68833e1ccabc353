import subgroup from "../../shaders/matmul-subgroup.wgsl?raw";
import type { KernelText } from "./kernel";
import { beginPartials, finishPartials, finishTurns, partialCount, scratchDeclaration } from "./partials";
import { GRID, gridOf, indent, PART, pairwise, specialise, times } from "./specialise";
import {
  batchTerm,
  chunkOf,
  declarations,
  epilogueFunction,
  type MatmulSpec,
  type MatmulTiling,
  type OperandSpec,
  productTurns,
  sliceLines,
} from "./tiling";

type SubgroupTiling = MatmulTiling & { kind: "subgroup" };

/** A product whose workgroups are subgroups. */
export function subgroupKernel(spec: MatmulSpec, tiling: SubgroupTiling): KernelText {
  const { batch, M, N, K, partials } = spec;
  const { tileM, tileN, splits, subgroupSize } = tiling;
  const workgroups = Math.ceil(M / tileM) * Math.ceil(N / (tileN * subgroupSize)) * splits * batch;
  const source = specialise(subgroup, {
    constants: {
      M,
      N,
      K,
      TILE_M: tileM,
      TILE_N: tileN,
      LANES: subgroupSize,
      SPLITS: splits,
      K_CHUNK: chunkOf(K, splits),
      GRID,
    },
    blocks: {
      slice: indent(sliceLines(spec, "groupIndex", "TILES_M * TILES_N"), 2),
      bindings: declarations(spec) + scratchDeclaration(partials, workgroups, subgroupSize),
      epilogue: epilogueFunction(spec, N % (tileN * subgroupSize) === 0 ? null : "column < N"),
      tile: indent([...beginPartials(partials), ...tileLines(spec, tiling)], 2),
      after: indent(finishPartials(partials, workgroups, subgroupSize), 2),
    },
  });
  return {
    name: "matmul-subgroup",
    source,
    workgroups: gridOf(workgroups),
    partials: partialCount(workgroups, subgroupSize),
    turns: productTurns(tiling, K) + finishTurns(partials, workgroups, subgroupSize),
  };
}

/** What a thread knows of the four k that its quad has loaded: its own, and by swapping those of `quad ^ 1`, `quad ^ 2`, `quad ^ 3`. */
const SWAPS = ["", "quadSwapX", "quadSwapY", "quadSwapDiagonal"] as const;
const QUAD = SWAPS.length;

/** The sums of a tile. At an edge the last row and column are read again instead of what lies outside, and no element of K is. */
function tileLines(spec: MatmulSpec, { tileM, tileN, splits, subgroupSize, variables }: SubgroupTiling): string[] {
  const { M, N, K, aTransposed, bTransposed } = spec;
  const { vectors: bVectors } = spec.b;
  // Of what is read through a view, the places themselves.
  const [aView, bView] = [spec.a.batchStride === null, spec.b.batchStride === null];
  const [aFirst, bFirst] = [batchTerm(spec.a, spec), batchTerm(spec.b, spec)];
  const rest = K % QUAD;
  const each = (line: (name: string, place: string) => string) =>
    times(tileM, (i) => times(tileN, (j) => line(`sum${i}_${j}`, `sums[${i * tileN + j}]`)).join(" "));
  const row = (i: number) => (M % tileM === 0 ? `row + ${i}u` : `min(row + ${i}u, ${M - 1}u)`);
  const width = bVectors ? 4 : 1;
  const column = (j: number) =>
    N % (tileN * subgroupSize) === 0 ? `column + ${j}u` : `min(column + ${j}u, ${N - width}u)`;
  // Of a view the part that stays the same along K, the part of a k, and the element of both.
  const across = ({ name, separate }: OperandSpec, place: string) => (separate ? `${name}Across(${place})` : place);
  const along = ({ name, separate }: OperandSpec, k: string) => (separate ? `${name}Along(${k})` : k);
  const viewed = ({ name, separate }: OperandSpec, first: string, second: string) =>
    separate ? `${name}(${first} + ${second})` : `${name}(${first}, ${second})`;
  const bRow = (k: string) => (bView ? along(spec.b, k) : bTransposed ? k : `(${k}) * ${N / width}u`);
  // What of an index stays the same along K is computed once. An operand in vectors is counted in them: a division in the loop
  // costs a software adapter nearly as much as a load.
  const setup = [
    ...times(tileM, (i) =>
      aView
        ? `let row${i} = ${across(spec.a, row(i))};`
        : `let row${i} = ${aFirst}${aTransposed ? row(i) : `(${row(i)}) * ${K}u`};`,
    ),
    ...times(tileN / width, (j) => {
      const first = column(j * width);
      if (bView) return `let column${j} = ${across(spec.b, first)};`;
      return `let column${j} = ${bTransposed ? `${bFirst}(${first}) * ${K}u` : bVectors ? `(${bFirst}${first}) / 4u` : `${bFirst}${first}`};`;
    }),
    `let quad = local % ${QUAD}u;`,
    ...(variables ? each((name) => `var ${name} = 0.0;`) : []),
    "var k = split * K_CHUNK;",
  ];
  const whole = [
    `for (; k + ${QUAD}u <= kEnd; k += ${QUAD}u) {`,
    ...turn(
      QUAD,
      "k + quad",
      (u) => (u === 0 ? "k + quad" : `k + (quad ^ ${u}u)`),
      (value, u) => (u === 0 ? value : `${SWAPS[u]}(${value})`),
    ),
    "}",
  ];
  // What is left over, which only the last split has: fewer k than a quad has threads, so each is spread to all of them.
  const last = turn(
    rest,
    `min(k + quad, ${K - 1}u)`,
    (u) => `k + ${u}u`,
    (value, u) => `quadBroadcast(${value}, ${u}u)`,
  );
  return [
    ...setup,
    ...(K >= QUAD ? whole : []),
    ...(rest > 0 ? [splits === 1 ? "{" : "if (k < kEnd) {", ...last, "}"] : []),
    ...(variables ? each((name, place) => `${place} = ${name};`) : []),
  ];

  /** The loads and products of `count` k: the one that a thread loads, the u-th that it multiplies, and how it comes by that. */
  function turn(
    count: number,
    loaded: string,
    kAt: (u: number) => string,
    shared: (value: string, u: number) => string,
  ): string[] {
    const b = (j: number, u: number) => (bVectors ? `b${j >> 2}_${u}.${PART[j & 3]}` : `b${j}_${u}`);
    return [
      `let own = ${aView ? along(spec.a, loaded) : aTransposed ? `(${loaded}) * ${M}u` : loaded};`,
      ...times(count, (u) => [
        `let k${u} = ${bRow(kAt(u))};`,
        ...times(
          tileN / width,
          (j) =>
            `let b${j}_${u} = ${bView ? viewed(spec.b, `k${u}`, `column${j}`) : `${spec.b.name}[k${u} + column${j}]`};`,
        ),
      ]).flat(),
      ...times(tileM, (i) => [
        `let p${i} = ${aView ? viewed(spec.a, `row${i}`, "own") : `${spec.a.name}[row${i} + own]`};`,
        times(count, (u) => `let a${i}_${u} = ${shared(`p${i}`, u)};`).join(" "),
        ...times(
          tileN,
          (j) =>
            `${variables ? `sum${i}_${j}` : `sums[${i * tileN + j}]`} += ${pairwise(times(count, (u) => `a${i}_${u} * ${b(j, u)}`))};`,
        ),
      ]).flat(),
    ].map((line) => `  ${line}`);
  }
}
