import { isFold, OPS, type ReductionOp } from "../../graph/ops";
import type { Tensor } from "../../graph/tensor";
import { accumulate, initial, type Partial } from "../../kernels/partials";
import { joinLanes } from "../../kernels/rows";
import { type Expression, isInlinable, walk } from "../../plan/expression";
import { sizeOf } from "../../util/shape";
import type { Site } from "./site";
import { Body } from "./wgsl";

/** A long sum is a sum of sums of so many: its rounding error grows with the number of blocks, not of elements. */
const BLOCK = 16;

/** More of them at once where else the blocks would be many. */
function blockOf(terms: number): number {
  return terms > 16 * BLOCK * BLOCK ? Math.ceil(Math.sqrt(terms)) : BLOCK;
}

/**
 * The statements of a rows kernel: as many passes over the row as its reductions build on one another. A pass computes
 * elements anew rather than keep them; what only concerns the row is computed between passes.
 */
export function rowsBody(
  site: Site,
  {
    outer,
    length,
    inner,
    lanes,
    rowsPerGroup,
  }: { outer: number; length: number; inner: number; lanes: number; rowsPerGroup: number },
): { lines: string[]; usesArgmax: boolean } {
  const { fusion, group } = site;
  const rows = outer * inner;
  const block = blockOf(length / lanes);
  const blocked = length > 2 * block * lanes;
  const isReduction = (node: Tensor) => !isInlinable(node);
  const ofRow = (node: Tensor) => sizeOf(node.shape) === rows;
  const definitionOf = (node: Tensor): Expression =>
    isReduction(node) ? fusion.expression(group, node.operands[0] as Tensor) : fusion.definition(group, node);

  // A value is at hand once the reductions below it are: from pass 0 on what needs none, and so on.
  const readyAt = new Map<Tensor, number>();
  const passOf = (expression: Expression): number => {
    let pass = 0;
    walk([expression], (part) => {
      if (part.kind === "own") pass = Math.max(pass, readyAt.get(part.tensor) ?? 0);
    });
    return pass;
  };
  for (const node of group.members) readyAt.set(node, passOf(definitionOf(node)) + (isReduction(node) ? 1 : 0));

  const specs = site.partialSpecs();
  const partials = group.partials.map((partial, i) => {
    const expression = fusion.expression(group, partial.value);
    return { spec: specs[i] as Partial, expression, ofRow: ofRow(partial.value), pass: passOf(expression) };
  });
  const passes = Math.max(...readyAt.values(), ...partials.map(({ pass }) => pass), 0);

  const rowValues = new Map<Tensor, string>();
  const lines = [`let outerIndex = row / ${inner}u;`, `let innerIndex = row % ${inner}u;`];
  const rowAxes = [
    { name: "outerIndex", length: outer },
    { name: "innerIndex", length: inner },
  ];
  const whenFirst = (statements: readonly string[]) =>
    statements.length === 0 ? [] : [`if (inRange && lane == 0u) { ${statements.join(" ")} }`];

  for (let pass = 0; pass <= passes; pass++) {
    const between = new Body(site.point("row", rowAxes, rowValues), `r${pass}_`);
    const ends: string[] = [];
    for (const node of group.members) {
      if (isReduction(node) || !ofRow(node) || readyAt.get(node) !== pass) continue;
      const value = between.value(definitionOf(node));
      rowValues.set(node, value);
      ends.push(...site.stored(node, "row", value));
    }
    for (const partial of partials) {
      if (partial.ofRow && partial.pass === pass)
        ends.push(accumulate(partial.spec, between.value(partial.expression)));
    }
    // The other lanes must have read what the first one may now overwrite.
    const barrier = lanes > 1 && ends.length > 0 ? ["storageBarrier();"] : [];
    lines.push(...between.lines, ...barrier, ...whenFirst(ends));

    const reductions = group.members.filter((node) => isReduction(node) && readyAt.get(node) === pass + 1);
    const elements = group.members.filter((node) => !isReduction(node) && !ofRow(node) && readyAt.get(node) === pass);
    const axes = [
      rowAxes[0] as { name: string; length: number },
      { name: "l", length },
      rowAxes[1] as { name: string; length: number },
    ];
    const point = site.point("i", axes, rowValues);
    const body: Body = new Body(
      // An element's value is computed in the pass that wants it.
      { ...point, own: (tensor) => rowValues.get(tensor) ?? body.value(fusion.definition(group, tensor)) },
      `e${pass}_`,
    );
    const steps: string[] = [];
    const parts: [string, string][] = [];
    const joins: string[] = [];
    reductions.forEach((node, i) => {
      const variable = `p${pass}_${i}`;
      const value = body.value(definitionOf(node));
      if (!isFold(node.op)) {
        lines.push(`var ${variable} = ${initial("max")};`, `var ${variable}_at = 2147483647i;`);
        steps.push(
          `if (l == lane || exceeds(${value}, ${variable})) { ${variable} = ${value}; ${variable}_at = i32(l); }`,
        );
        joins.push(
          ...joinLanes(node.op as ReductionOp, variable, `${variable}_at`, lanes, rowsPerGroup, inner, site.turns),
        );
        rowValues.set(node, `${variable}_at`);
      } else {
        const { op } = node;
        const inBlocks = blocked && OPS[op].fold.blocks === true;
        const part = inBlocks ? `${variable}_part` : variable;
        lines.push(`var ${variable} = ${initial(op)};`);
        if (inBlocks) parts.push([`var ${part} = ${initial(op)};`, accumulate({ op, variable }, part)]);
        steps.push(accumulate({ op, variable: part }, value));
        joins.push(...joinLanes(op, variable, "", lanes, rowsPerGroup, inner, site.turns));
        rowValues.set(node, variable);
      }
      joins.push(...whenFirst(site.stored(node, "row", rowValues.get(node) as string)));
    });
    for (const node of elements) {
      const stored = site.stored(node, "i", "");
      if (stored.length > 0) steps.push(...site.stored(node, "i", body.value(definitionOf(node))));
    }
    for (const partial of partials) {
      if (!partial.ofRow && partial.pass === pass) steps.push(accumulate(partial.spec, body.value(partial.expression)));
    }
    if (steps.length === 0) continue;
    const statements = [`let i = first + l * ${inner}u;`, ...body.lines, ...steps].map((line) => `  ${line}`);
    const { turns } = site;
    const over = (from: string, to: string, count: number) =>
      turns.loop(Math.ceil(count / lanes), () => [
        `for (var l = ${from}; l < ${to}; l += ${lanes}u) {`,
        ...statements,
        "}",
      ]);
    if (parts.length === 0) lines.push(...over("lane", "end", length));
    else {
      const step = `${block * lanes}u`;
      const blockLines = turns.loop(Math.ceil(length / (block * lanes)), () => [
        ...parts.map(([begin]) => begin),
        ...over("block", `min(end, block + ${step})`, block * lanes),
        ...parts.map(([, end]) => end),
      ]);
      lines.push(
        `for (var block = lane; block < end; block += ${step}) {`,
        ...blockLines.map((line) => `  ${line}`),
        "}",
      );
    }
    lines.push(...joins);
  }
  return { lines, usesArgmax: group.members.some((node) => isReduction(node) && !isFold(node.op)) };
}
