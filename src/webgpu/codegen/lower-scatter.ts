import { scatterKernel } from "../../kernels/scatter";
import { times } from "../../kernels/specialise";
import type { Fusion, Scatter, ScatterGroup } from "../../plan/group";
import { type Scattering, scatteringOf } from "../../plan/nest-scatter";
import { opsOf } from "../../plan/work";
import type { KernelStores, LoweredDispatch } from "./dispatch";
import { Lowering, labelOf, outputOf, WORKGROUP } from "./lower";
import type { ScatterPart } from "./part";
import { mostTurns, type Target } from "./plan";
import type { Site } from "./site";
import { Body } from "./wgsl";

/** Threads that a scatter is cut up among, where there are rows enough: what fills a large device, and a few for a software adapter. */
const OWNERS = { hardware: 2 ** 14, software: 32 };
/** Indices that a thread looks at before it needs the first of them, on a GPU; and characters of their values' statements, in all. */
const AT_ONCE = 8;
const MAX_STATEMENTS = 4096;

/** How rows are shared out: each owner has up to so many of one column. */
interface Shares {
  readonly rowsEach: number;
  readonly owners: number;
}

/** A scatter's indices from one on up to below another. */
interface Range {
  readonly from: number;
  readonly to: number;
}

function sharesOf({ outer, rows, inner }: Scatter, owners: number, mostRows: number): Shares {
  const columns = outer * inner;
  const wanted = Math.min(rows, Math.max(1, Math.floor(owners / columns)));
  const rowsEach = Math.min(Math.ceil(rows / wanted), mostRows);
  return { rowsEach, owners: columns * Math.ceil(rows / rowsEach) };
}

/** The statements of thread `owner`; those of the rest of the group where the last index is among them. */
function ownerLines(
  site: Site,
  { begin, additions, end }: Scattering,
  { rowsEach }: Shares,
  { from, to }: Range,
  atOnce: number,
): { lines: string[]; statements: number } {
  const { turns } = site;
  const { outer, rows, inner, count, into, row: named, value: added } = additions;
  const columns = [
    { name: "outerIndex", length: outer },
    { name: "innerIndex", length: inner },
  ] as const;
  const axes = (middle: string, length: number) => [columns[0], { name: middle, length }, columns[1]];
  const eachRow = (statements: readonly string[]) =>
    turns.loop(rowsEach, () => [
      "for (var r = 0u; r < rowCount; r++) {",
      "  let atRow = firstRow + r;",
      `  let i = begin + r * ${inner}u;`,
      ...statements.map((line) => `  ${line}`),
      "}",
    ]);
  const lines = [
    `let column = owner % ${outer * inner}u;`,
    `let outerIndex = column / ${inner}u;`,
    `let innerIndex = column % ${inner}u;`,
    `let firstRow = owner / ${outer * inner}u * ${rowsEach}u;`,
    `let rowCount = select(0u, min(${rows}u - firstRow, ${rowsEach}u), inRange);`,
    `let begin = (outerIndex * ${rows}u + firstRow) * ${inner}u + innerIndex;`,
  ];
  if (from === 0 && begin !== null) lines.push(...eachRow(site.at("i", axes("atRow", rows), begin)));
  const looks: string[] = [];
  const sums: string[] = [];
  const loops = Math.ceil((to - from) / atOnce);
  for (let each = 0; each < atOnce; each++) {
    const [k, p, row] = [`k${each}`, `p${each}`, `r${each}`];
    const last = loops * atOnce === to - from ? "" : ` && ${k} < ${to}u`;
    looks.push(`let ${k} = k + ${each}u;`, `let ${p} = (outerIndex * ${count}u + ${k}) * ${inner}u + innerIndex;`);
    const point = site.point(p, axes(k, count), new Map());
    const at = new Body(point, `n${each}_`);
    const index = at.value(named);
    // Below 0 there is no unsigned number: a row before the first of this owner is beyond its last.
    looks.push(...at.lines, `let ${row} = u32(clamp(${index}, 0i, ${rows - 1}i)) - firstRow;`);
    const body = new Body(point, "v");
    const value = body.value(added);
    const sum = `${site.load(into, "i")} + ${value}`;
    sums.push(
      `if (${row} < rowCount${last}) { let i = begin + ${row} * ${inner}u; ${[...body.lines, site.assign(into, "i", sum)].join(" ")} }`,
    );
  }
  lines.push(
    ...turns.loop(loops, () => [
      `for (var k = ${from}u; k < ${to}u; k += ${atOnce}u) {`,
      ...[...looks, ...sums].map((line) => `  ${line}`),
      "}",
    ]),
  );
  if (to === count && end !== null) {
    const total = `let total = ${site.load(into, "i")};`;
    lines.push(...eachRow([total, ...site.at("i", axes("atRow", rows), end, [[into, "total"]])]));
  }
  return { lines, statements: sums.join("").length };
}

/** As many indices at once as there are, and as their values' statements are not too long for. */
function atOnceFor(site: Site, nest: Scattering, shares: Shares): number {
  const { count } = nest.additions;
  const { statements } = ownerLines(site, nest, shares, { from: 0, to: count }, 1);
  let atOnce = AT_ONCE;
  while (atOnce > 1 && (atOnce > count || atOnce * statements > MAX_STATEMENTS)) atOnce /= 2;
  return atOnce;
}

/** The dispatches of a scatter: one, or several after one another where one thread may not look at all indices in one. */
export function lowerScatter(
  fusion: Fusion,
  group: ScatterGroup,
  stores: KernelStores,
  target: Target,
): LoweredDispatch[] {
  const { scatter } = group;
  const { outer, rows, inner, count } = scatter;
  const nest = scatteringOf(fusion, group, stores, stores.storageOf);
  // A quarter for what is done with rows before and after, as much for what ends partial results, and the rest for looking.
  const most = Math.max(8, mostTurns(target));
  const shares = sharesOf(scatter, target.software ? OWNERS.software : OWNERS.hardware, Math.floor(most / 8) - 1);
  const atOnce = target.software ? 1 : atOnceFor(new Lowering(fusion, group, stores), nest, shares);
  const each = Math.min(count, Math.floor(most / 2) * atOnce);
  const parts = Math.ceil(count / each);
  const workgroupSize = Math.min(target.software ? 16 : WORKGROUP, target.maxWorkgroupSize);
  const before: ScatterGroup = { ...group, members: [], partials: [] };
  return times(parts, (part) => {
    const range = { from: part * each, to: Math.min(count, (part + 1) * each) };
    const last = part === parts - 1;
    const lowering = new Lowering(fusion, last ? group : before, stores);
    const { lines } = ownerLines(lowering, nest, shares, range, atOnce);
    const looks = shares.owners * (range.to - range.from);
    const added = outer * inner * (range.to - range.from);
    return lowering.finish(
      (bindings) =>
        scatterKernel({
          owners: shares.owners,
          workgroupSize,
          bindings,
          body: lines,
          partials: lowering.partialSpecs(),
          bodyTurns: lowering.turns.total,
        }),
      {
        label: `${labelOf(last ? group : before)}${parts === 1 ? "" : `, part ${part + 1} of ${parts}`}`,
        output: outputOf(group, stores),
        shapes: `[${outer}, ${count}, ${inner}] into [${outer}, ${rows}, ${inner}]`,
        flops: looks + added + (last ? opsOf(fusion, group) * group.size : 0),
      },
    );
  });
}

/** A scatter as a part of the persistent kernel. */
export const scatterPart: ScatterPart = (context, part, group) => {
  const { fusion, stores, workgroupSize } = context;
  const nest = scatteringOf(fusion, group, stores, stores.storageOf);
  const shares = sharesOf(group.scatter, workgroupSize, Number.POSITIVE_INFINITY);
  return context.loop("owner", shares.owners, () => [
    "let inRange = true;",
    ...ownerLines(part, nest, shares, { from: 0, to: group.scatter.count }, 1).lines,
  ]);
};
