import subgroup from "../../shaders/subgroup.wgsl?raw";
import type { KernelText } from "./kernel";
import { finishPartials, partialCount, scratchDeclaration } from "./partials";
import { chunkOf, epilogueFunction, type MatmulSpec, type MatmulTiling } from "./product";
import { PART, pairwise, times } from "./register-tile";
import { GRID, gridOf, indent, specialise } from "./specialise";

type SubgroupTiling = MatmulTiling & { kind: "subgroup" };

/** A product whose workgroups are subgroups. */
export function subgroupKernel(spec: MatmulSpec, tiling: SubgroupTiling): KernelText {
  const { M, N, K, partials } = spec;
  const { tileM, tileN, splits, subgroupSize } = tiling;
  const workgroups = Math.ceil(M / tileM) * Math.ceil(N / (tileN * subgroupSize)) * splits;
  const source = specialise(subgroup, {
    constants: {
      M,
      N,
      K,
      TILE_M: tileM,
      TILE_N: tileN,
      LANES: subgroupSize,
      SPLITS: splits,
      K_CHUNK: chunkOf(K, splits, subgroupSize),
      GRID,
    },
    blocks: {
      bindings: spec.bindings + scratchDeclaration(partials, workgroups, subgroupSize),
      epilogue: epilogueFunction(spec, N % (tileN * subgroupSize) === 0 ? null : "column < N"),
      tile: indent(tileLines(spec, tiling), 2),
      after: indent(finishPartials(partials, workgroups, subgroupSize), 2),
    },
  });
  return {
    name: "subgroup",
    source,
    workgroups: gridOf(workgroups),
    partials: partialCount(workgroups, subgroupSize),
  };
}

/** The sums of a tile. At an edge the last row and column are read again instead of what lies outside, and no element of K is. */
function tileLines(spec: MatmulSpec, { tileM, tileN, splits, subgroupSize }: SubgroupTiling): string[] {
  const { M, N, K, aTransposed, bTransposed } = spec;
  const rest = K % subgroupSize;
  const row = (i: number) => (M % tileM === 0 ? `row + ${i}u` : `min(row + ${i}u, ${M - 1}u)`);
  const width = spec.bVectors && !bTransposed ? 4 : 1;
  const column = (j: number) =>
    N % (tileN * subgroupSize) === 0 ? `column + ${j}u` : `min(column + ${j}u, ${N - width}u)`;
  // What of an index stays the same along K is computed once. An operand in vectors is counted in them: a division in the loop
  // costs a software adapter nearly as much as a load.
  const vector = spec.bVectors ? 4 : 1;
  const inVectors = (index: string) => (spec.bVectors ? `(${index}) / 4u` : index);
  const setup = [
    ...times(tileM, (i) => `let row${i} = ${aTransposed ? row(i) : `(${row(i)}) * ${K}u`};`),
    ...times(
      tileN / width,
      (j) => `let column${j} = ${bTransposed ? `(${column(j)}) * ${K / vector}u` : inVectors(column(j * width))};`,
    ),
    ...times(tileM, (i) => times(tileN, (j) => `var sum${i}_${j} = 0.0;`).join(" ")),
    "var k = split * K_CHUNK;",
  ];
  const whole = [`for (; k + ${subgroupSize}u <= kEnd; k += ${subgroupSize}u) {`, ...turn(subgroupSize), "}"];
  // Only the last split has what is left over.
  const left = splits === 1 ? turn(rest) : ["if (k < kEnd) {", ...turn(rest), "}"];
  return [
    ...setup,
    ...(K >= subgroupSize ? whole : []),
    ...(rest > 0 ? ["{", ...left, "}"] : []),
    ...times(tileM, (i) => times(tileN, (j) => `sums[${i * tileN + j}] = sum${i}_${j};`).join(" ")),
  ];

  /** The loads and products of `count` neighbouring k, at most as many as there are lanes. */
  function turn(count: number): string[] {
    const lane = count < subgroupSize ? `min(k + local, ${K - 1}u)` : "k + local";
    const own = aTransposed ? `let own = (${lane}) * ${M}u;` : `let own = ${lane};`;
    const loads = spec.bVectors
      ? bTransposed
        ? times(Math.ceil(count / 4), (v) =>
            times(tileN, (j) => `let b${j}_${v} = ${spec.b}[column${j} + kVector + ${v}u];`),
          ).flat()
        : times(count, (u) =>
            times(tileN / 4, (j) => `let b${j}_${u} = ${spec.b}[(k + ${u}u) * ${N / 4}u + column${j}];`),
          ).flat()
      : times(count, (u) =>
          times(
            tileN,
            (j) =>
              `let b${j}_${u} = ${spec.b}[${bTransposed ? `column${j} + k + ${u}u` : `(k + ${u}u) * ${N}u + column${j}`}];`,
          ),
        ).flat();
    const b = (j: number, u: number) =>
      spec.bVectors
        ? bTransposed
          ? `b${j}_${u >> 2}.${PART[u & 3]}`
          : `b${j >> 2}_${u}.${PART[j & 3]}`
        : `b${j}_${u}`;
    const products = times(tileM, (i) => [
      `let p${i} = ${spec.a}[row${i} + own];`,
      times(count, (u) => `let a${i}_${u} = subgroupBroadcast(p${i}, ${u}u);`).join(" "),
      ...times(tileN, (j) => `sum${i}_${j} += ${pairwise(times(count, (u) => `a${i}_${u} * ${b(j, u)}`))};`),
    ]).flat();
    const vectors = spec.bVectors && bTransposed ? ["let kVector = k / 4u;"] : [];
    return [own, ...vectors, ...loads, ...products].map((line) => `  ${line}`);
  }
}
