import product from "../../shaders/product.wgsl?raw";
import type { KernelText } from "./kernel";
import { beginPartials, finishPartials, finishTurns, partialCount, scratchDeclaration } from "./partials";
import { registerTile } from "./register-tile";
import { GRID, gridOf, indent, specialise } from "./specialise";
import { chunkOf, epilogueFunction, type MatmulSpec, type MatmulTiling } from "./tiling";
import { Turns } from "./turns";

/** A product whose threads read their operands straight from storage. */
export function directKernel(spec: MatmulSpec, tiling: MatmulTiling & { kind: "direct" }): KernelText {
  const { M, N, K, aTransposed, bTransposed, a, b, partials } = spec;
  const { tileM, tileN, splits, workgroupSize } = tiling;
  const threads = Math.ceil(M / tileM) * Math.ceil(N / tileN) * splits;
  const workgroups = Math.ceil(threads / workgroupSize);
  const chunk = chunkOf(K, splits);
  const turns = new Turns();
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
    a: (row, k) => `${a}[${aTransposed ? `${k} * M + ${row}` : `${row} * K + ${k}`}]`,
    b: (k, column) => `${b}[${bTransposed ? `${column} * K + ${k}` : `${k} * N + ${column}`}]`,
    // An index is a multiple of 4 wherever vectors are asked for: M, N or K is, and tiles and chunks are.
    a4: spec.aVectors
      ? {
          along: aTransposed ? "row" : "k",
          at: (row, k) => `${a}[(${aTransposed ? `${k} * M + ${row}` : `${row} * K + ${k}`}) / 4u]`,
        }
      : null,
    b4: spec.bVectors
      ? {
          along: bTransposed ? "k" : "column",
          at: (k, column) => `${b}[(${bTransposed ? `${column} * K + ${k}` : `${k} * N + ${column}`}) / 4u]`,
        }
      : null,
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
      bindings: spec.bindings + scratchDeclaration(partials, workgroups, workgroupSize),
      epilogue: epilogueFunction(spec, null),
      before: indent(beginPartials(partials), 2),
      tile: indent(lines, 4),
      after: indent(finishPartials(partials, workgroups, workgroupSize), 2),
      indexing: "",
    },
  });
  return {
    name: "product",
    source,
    workgroups: gridOf(workgroups),
    partials: partialCount(workgroups, workgroupSize),
    turns: turns.total + finishTurns(partials, workgroups, workgroupSize),
  };
}
