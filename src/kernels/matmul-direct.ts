import product from "../../shaders/matmul-direct.wgsl?raw";
import type { KernelText } from "./kernel";
import { beginPartials, finishPartials, finishTurns, partialCount, scratchDeclaration } from "./partials";
import { registerTile } from "./register-tile";
import { GRID, gridOf, indent, specialise } from "./specialise";
import {
  batchTerm,
  chunkOf,
  declarations,
  elementOf,
  epilogueFunction,
  type MatmulSpec,
  type MatmulTiling,
  type OperandSpec,
  sliceLines,
} from "./tiling";
import { Turns } from "./turns";

/** A product whose threads read their operands straight from storage. */
export function directKernel(spec: MatmulSpec, tiling: MatmulTiling & { kind: "direct" }): KernelText {
  const { batch, M, N, K, aTransposed, bTransposed, a, b, partials } = spec;
  const { tileM, tileN, splits, workgroupSize } = tiling;
  const threads = Math.ceil(M / tileM) * Math.ceil(N / tileN) * splits * batch;
  const workgroups = Math.ceil(threads / workgroupSize);
  const chunk = chunkOf(K, splits);
  const turns = new Turns();
  const aIndex = (row: string, k: string) => (aTransposed ? `${k} * M + ${row}` : `${row} * K + ${k}`);
  const bIndex = (k: string, column: string) => (bTransposed ? `${column} * K + ${k}` : `${k} * N + ${column}`);
  const vector = (operand: OperandSpec, index: string) => `${operand.name}[(${batchTerm(operand, spec)}${index}) / 4u]`;
  const lines = registerTile({
    M,
    N,
    K: chunk,
    tileM,
    tileN,
    kMultiple: splits === 1 ? K : K % 4 === 0 ? 4 : 1,
    kBegin: "split * K_CHUNK",
    kEnd: "kEnd",
    turns,
    a: (name, row, k) => [`let ${name} = ${elementOf(a, spec, row, k, aIndex(row, k))};`],
    b: (name, k, column) => [`let ${name} = ${elementOf(b, spec, k, column, bIndex(k, column))};`],
    // An index is a multiple of 4 wherever vectors are asked for: M, N or K is, and tiles and chunks are.
    a4: a.vectors ? { along: aTransposed ? "row" : "k", at: (row, k) => vector(a, aIndex(row, k)) } : null,
    b4: b.vectors ? { along: bTransposed ? "k" : "column", at: (k, column) => vector(b, bIndex(k, column)) } : null,
    epilogue: (row, column, sum) => `epilogue(${row}, ${column}, split, ${sum});`,
  });
  const source = specialise(product, {
    constants: {
      M,
      N,
      K,
      A_TRANSPOSED: aTransposed,
      B_TRANSPOSED: bTransposed,
      TILE_M: tileM,
      TILE_N: tileN,
      SPLITS: splits,
      K_CHUNK: chunk,
      WORKGROUP: workgroupSize,
      GRID,
    },
    blocks: {
      groups:
        batch === 1
          ? "const GROUPS = (TILES_M * TILES_N * SPLITS + WORKGROUP - 1u) / WORKGROUP;"
          : `const GROUPS = ${workgroups}u;`,
      bindings: declarations(spec) + scratchDeclaration(partials, workgroups, workgroupSize),
      slice: indent(sliceLines(spec, "thread", "TILES_M * TILES_N"), 2),
      epilogue: epilogueFunction(spec, null),
      before: indent(beginPartials(partials), 2),
      tile: indent(lines, 4),
      after: indent(finishPartials(partials, workgroups, workgroupSize), 2),
      indexing: "",
    },
  });
  return {
    name: "matmul-direct",
    source,
    workgroups: gridOf(workgroups),
    partials: partialCount(workgroups, workgroupSize),
    turns: turns.total + finishTurns(partials, workgroups, workgroupSize),
  };
}
