import { isFold, OPS } from "../../graph/ops";
import type { Tensor } from "../../graph/tensor";
import { accumulate, initial } from "../../kernels/partials";
import { joinLanes } from "../../kernels/rows";
import type { Accumulator } from "../../plan/nest";
import type { Pass, Rows } from "../../plan/nest-rows";
import { atHand, type Site } from "./site";
import { Body, type Point } from "./wgsl";

/** A long sum is a sum of sums of so many: its rounding error grows with the number of blocks, not of elements. */
const BLOCK = 16;

/** More of them at once where else the blocks would be many. */
function blockOf(terms: number): number {
  return terms > 16 * BLOCK * BLOCK ? Math.ceil(Math.sqrt(terms)) : BLOCK;
}

/** How threads share rows. */
export interface Lanes {
  readonly lanes: number;
  readonly rowsPerGroup: number;
}

/** The statements of a rows kernel, at a row. */
export function rowsBody(site: Site, { split, passes }: Rows, { lanes, rowsPerGroup }: Lanes): string[] {
  const { outer, length, inner } = split;
  const { turns } = site;
  const block = blockOf(length / lanes);
  const blocked = length > 2 * block * lanes;
  const ofRow = new Map<Tensor, string>();
  const axes = {
    outer: { name: "outerIndex", length: outer },
    l: { name: "l", length },
    inner: { name: "innerIndex", length: inner },
  };
  const whenFirst = (statements: readonly string[]) =>
    statements.length === 0 ? [] : [`if (inRange && lane == 0u) { ${statements.join(" ")} }`];

  const writePass = ({ row, accumulators, element, anew }: Pass, pass: number): string[] => {
    const between = new Body(site.point("row", [axes.outer, axes.inner], ofRow), `r${pass}_`);
    const ends = site.effects(between, ofRow, row, "row");
    // The other lanes must have read what the first one may now overwrite.
    const barrier = lanes > 1 && ends.length > 0 ? ["storageBarrier();"] : [];
    const before = [...between.lines, ...barrier, ...whenFirst(ends)];
    if (element.length === 0) return before;

    const variables = new Map(accumulators.map(({ into }, i) => [into, `p${pass}_${i}`] as const));
    const variableOf = (into: Accumulator) => variables.get(into) as string;
    const begins = accumulators.flatMap(({ into }) =>
      isFold(into.op)
        ? [`var ${variableOf(into)} = ${initial(into.op)};`]
        : [`var ${variableOf(into)} = ${initial("max")};`, `var ${variableOf(into)}_at = 2147483647i;`],
    );
    const parts = accumulators.flatMap(({ into: { op }, into }) =>
      isFold(op) && blocked && OPS[op].fold.blocks === true ? [{ into, op, part: `${variableOf(into)}_part` }] : [],
    );
    const take = (into: Accumulator, value: string): string => {
      const { op } = into;
      const variable = variableOf(into);
      if (!variables.has(into)) return site.accumulate(into, value);
      if (!isFold(op))
        return `if (l == lane || exceeds(${value}, ${variable})) { ${variable} = ${value}; ${variable}_at = i32(l); }`;
      return accumulate({ op, variable: parts.find((part) => part.into === into)?.part ?? variable }, value);
    };
    const point: Point = site.point("i", [axes.outer, axes.l, axes.inner], ofRow);
    const body: Body = new Body(
      {
        ...point,
        own: (tensor) => {
          const value = anew.get(tensor);
          return value === undefined ? atHand(ofRow, tensor) : body.value(value);
        },
      },
      `e${pass}_`,
    );
    const steps = site.effects(body, new Map(), element, "i", take);
    const joins = accumulators.flatMap(({ into, stores }) => {
      const variable = variableOf(into);
      const result = isFold(into.op) ? variable : `${variable}_at`;
      const joined = joinLanes(into.op, variable, result, lanes, rowsPerGroup, inner, turns);
      ofRow.set(into.node, result);
      return [...joined, ...whenFirst(site.effects(between, ofRow, stores, "row"))];
    });
    const statements = [`let i = first + l * ${inner}u;`, ...body.lines, ...steps].map((line) => `  ${line}`);
    const over = (from: string, to: string, count: number) =>
      turns.loop(Math.ceil(count / lanes), () => [
        `for (var l = ${from}; l < ${to}; l += ${lanes}u) {`,
        ...statements,
        "}",
      ]);
    const loop = () => {
      if (parts.length === 0) return over("lane", "end", length);
      const step = `${block * lanes}u`;
      const lines = turns.loop(Math.ceil(length / (block * lanes)), () => [
        ...parts.map(({ op, part }) => `var ${part} = ${initial(op)};`),
        ...over("block", `min(end, block + ${step})`, block * lanes),
        ...parts.map(({ into, op, part }) => accumulate({ op, variable: variableOf(into) }, part)),
      ]);
      return [`for (var block = lane; block < end; block += ${step}) {`, ...lines.map((line) => `  ${line}`), "}"];
    };
    return [...before, ...begins, ...loop(), ...joins];
  };
  return [`let outerIndex = row / ${inner}u;`, `let innerIndex = row % ${inner}u;`, ...passes.flatMap(writePass)];
}

/** Whether a kernel keeps an index along with a largest term. */
export function keepsIndex({ passes }: Rows): boolean {
  return passes.some(({ accumulators }) => accumulators.some(({ into }) => !isFold(into.op)));
}
