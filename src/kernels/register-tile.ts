import { PART, pairwise, times } from "./specialise";
import type { Turns } from "./turns";

export interface RegisterTile {
  readonly M: number;
  readonly N: number;
  /** Of one part of K. */
  readonly K: number;
  readonly tileM: number;
  readonly tileN: number;
  /** Every part of K is a multiple of this. */
  readonly kMultiple: number;
  /** WGSL of the bounds of k. */
  readonly kBegin: string;
  readonly kEnd: string;
  readonly turns: Turns;
  /** Lines that give `name` an operand's element. */
  a(name: string, row: string, k: string): readonly string[];
  b(name: string, k: string, column: string): readonly string[];
  /** WGSL of four elements at once, from an index that is a multiple of 4, and the axis that they lie along. */
  readonly a4: { readonly along: "row" | "k"; at(row: string, k: string): string } | null;
  readonly b4: { readonly along: "k" | "column"; at(k: string, column: string): string } | null;
  /** WGSL statement for each element's sum. */
  epilogue(row: string, column: string, sum: string): string;
}

/**
 * One thread's tile at `row` and `column`: sums in registers by name, operands straight from memory, edges looked after. An
 * edge tile reads its last row and column again instead of what lies outside, and stores only what is inside.
 */
export function registerTile(tile: RegisterTile): string[] {
  const { M, N, K, tileM, tileN, kMultiple, kBegin, kEnd, a4, b4, epilogue, turns } = tile;
  // Only where tiles do not divide the product is there an edge to look after.
  const [edgeM, edgeN] = [M % tileM !== 0, N % tileN !== 0];
  const within = (i: number, j: number) =>
    [edgeM && i > 0 ? `row + ${i}u < ${M}u` : "", edgeN && j > 0 ? `column + ${j}u < ${N}u` : ""]
      .filter((test) => test !== "")
      .join(" && ");
  const wholeVectors = a4?.along === "k" || b4?.along === "k";
  // Several k at once: fewer turns of the loop, and sums of sums, whose rounding error grows more slowly.
  const unroll = wholeVectors ? 4 : Math.min(tileM * tileN <= 16 ? 4 : 2, K);
  const rows = (i: number, width: number) => (edgeM && i > 0 ? `min(row + ${i}u, ${M - width}u)` : `row + ${i}u`);
  const columns = (j: number, width: number) =>
    edgeN && j > 0 ? `min(column + ${j}u, ${N - width}u)` : `column + ${j}u`;
  const inVectors = b4?.along === "column";
  const over = (count: number, header: string, width: number) =>
    turns.loop(count, () => [`for (${header}) {`, ...step(tile, width), "}"]);
  const sums = inVectors
    ? times(tileM, (i) => times(tileN / 4, (j) => `var sum${i}_${j} = vec4f();`).join(" "))
    : times(tileM, (i) => times(tileN, (j) => `var sum${i}_${j} = 0.0;`).join(" "));
  return [
    ...times(tileM, (i) => `let row${i} = ${rows(i, a4?.along === "row" ? 4 : 1)};`),
    ...times(tileN, (j) => `let column${j} = ${columns(j, inVectors ? 4 : 1)};`),
    ...sums,
    `var k = ${kBegin};`,
    ...(unroll > 1 ? over(Math.floor(K / unroll), `; k + ${unroll}u <= ${kEnd}; k += ${unroll}u`, unroll) : []),
    ...(unroll === 1 || kMultiple % unroll !== 0 ? over(unroll === 1 ? K : unroll - 1, `; k < ${kEnd}; k++`, 1) : []),
    ...times(tileM, (i) =>
      times(tileN, (j) => {
        const test = within(i, j);
        const sum = inVectors ? `sum${i}_${j >> 2}.${PART[j & 3]}` : `sum${i}_${j}`;
        const call = epilogue(`row + ${i}u`, `column + ${j}u`, sum);
        return test === "" ? call : `if (${test}) { ${call} }`;
      }),
    ).flat(),
  ];
}

/** The loads and products of `unroll` neighbouring k. */
function step({ tileM, tileN, a, b, a4, b4 }: RegisterTile, unroll: number): string[] {
  const at = (u: number) => (u === 0 ? "k" : `(k + ${u}u)`);
  const loads: string[] = [];
  // WGSL of the operands' elements at row i, column j and the u-th k.
  let elementA: (i: number, u: number) => string;
  let elementB: (j: number, u: number) => string;
  if (a4?.along === "k") {
    times(tileM, (i) => loads.push(`let a${i} = ${a4.at(`row${i}`, "k")};`));
    elementA = (i, u) => `a${i}.${PART[u]}`;
  } else if (a4?.along === "row") {
    times(tileM / 4, (i) => times(unroll, (u) => loads.push(`let a${i}_${u} = ${a4.at(`row${4 * i}`, at(u))};`)));
    elementA = (i, u) => `a${i >> 2}_${u}.${PART[i & 3]}`;
  } else {
    times(tileM, (i) => times(unroll, (u) => loads.push(...a(`a${i}_${u}`, `row${i}`, at(u)))));
    elementA = (i, u) => `a${i}_${u}`;
  }
  if (b4?.along === "k") {
    times(tileN, (j) => loads.push(`let b${j} = ${b4.at("k", `column${j}`)};`));
    elementB = (j, u) => `b${j}.${PART[u]}`;
  } else if (b4?.along === "column") {
    times(tileN / 4, (j) => times(unroll, (u) => loads.push(`let b${j}_${u} = ${b4.at(at(u), `column${4 * j}`)};`)));
    elementB = (j, u) => `b${j}_${u}`;
  } else {
    times(tileN, (j) => times(unroll, (u) => loads.push(...b(`b${j}_${u}`, at(u), `column${j}`))));
    elementB = (j, u) => `b${j}_${u}`;
  }
  const dots = a4?.along === "k" && b4?.along === "k";
  const width = b4?.along === "column" ? tileN / 4 : tileN;
  const products = times(tileM, (i) =>
    times(width, (j) => {
      const sum = dots ? `dot(a${i}, b${j})` : pairwise(times(unroll, (u) => `${elementA(i, u)} * ${elementB(j, u)}`));
      return `sum${i}_${j} += ${sum};`;
    }).join(" "),
  );
  return [...loads, ...products].map((line) => `  ${line}`);
}
