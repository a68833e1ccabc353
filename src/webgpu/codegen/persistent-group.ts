import type { Tensor } from "../../graph/tensor";
import { declarePartials, inBlocks, initial } from "../../kernels/partials";
import { registerTile } from "../../kernels/register-tile";
import type { Turns } from "../../kernels/turns";
import {
  type CombineGroup,
  type ContractionGroup,
  type Group,
  type MatrixOperand,
  productOf,
  type ReductionGroup,
} from "../../plan/group";
import { pointsOf } from "../../plan/nest";
import { rowsOf } from "../../plan/nest-rows";
import { type Context, Part } from "./part";
import { keepsIndex, rowsBody } from "./reduction";
import { type Axis, Body, flatAt } from "./wgsl";

/** The statements of one kernel as a part: a loop over its elements, the workgroup's threads side by side. */
export function writeGroup(context: Context, group: Group): string[] {
  const part = new Part(context, group);
  const begins = declarePartials(part.partials());
  switch (group.kind) {
    case "map": {
      const terms = Math.ceil(group.size / context.workgroupSize);
      const blocks = inBlocks(part.partials(), terms, `inBlock${group.partials.length > 0 ? context.next() : ""}`);
      const points = pointsOf(context.fusion, group, context.stores);
      const lines = context.each(group.size, (i) => [...part.at(i, [], points), ...blocks.each]);
      // What every thread has summed counts once.
      const sums = context.held ? part.partials() : [];
      const once = sums.map(({ op, variable }) => `if (local > 0u) { ${variable} = ${initial(op)}; }`);
      return [...begins, ...blocks.before, ...lines, ...blocks.after, ...once];
    }
    case "contraction":
      return [...begins, ...product(context, part, group)];
    case "reduction":
      return [...begins, ...rows(context, part, group)];
    case "scatter":
      if (context.scatter === undefined) throw new Error("internal: nothing writes scatters");
      return [...begins, ...context.scatter(context, part, group)];
    case "combine":
      return combination(context, part, group);
    case "scan":
      if (context.scan === null) throw new Error("internal: nothing writes scans");
      return context.scan(context, group);
    default:
      return group satisfies never;
  }
}

/** Statements for each of `count` values of `variable`, the threads of a workgroup side by side. */
export function loop(
  variable: string,
  count: number,
  workgroupSize: number,
  turns: Turns,
  body: () => readonly string[],
): string[] {
  if (count === 1) return [`if (local == 0u) { let ${variable} = 0u;`, ...body().map((line) => `  ${line}`), "}"];
  return turns.loop(Math.ceil(count / workgroupSize), () => [
    `for (var ${variable} = local; ${variable} < ${count}u; ${variable} += ${workgroupSize}u) {`,
    ...body().map((line) => `  ${line}`),
    "}",
  ]);
}

/** Characters of what follows a tile's sums. */
const MAX_EPILOGUES = 4096;

function product(context: Context, part: Part, group: ContractionGroup): string[] {
  const { root, a, b, batch, M, N, K } = productOf(group);
  const inBatch = { name: "batch", length: batch };
  const axes: readonly Axis[] = [
    ...(batch > 1 ? [inBatch] : []),
    { name: "atRow", length: M },
    { name: "atColumn", length: N },
  ];
  const points = pointsOf(context.fusion, group, context.stores);
  const statements = [
    `let i = ${batch > 1 ? `(batch * ${M}u + atRow)` : "atRow"} * ${N}u + atColumn;`,
    ...part.at("i", axes, points, [[root, "value"]]),
  ].join(" ");
  // As large a tile as still leaves each thread one, and as what follows is not too long to be written out for each of its sums.
  let [tileM, tileN] = [1, 1];
  const tiles = (m: number, n: number) => batch * Math.ceil(M / m) * Math.ceil(N / n);
  for (const [m, n] of [
    [1, 2],
    [2, 1],
    [1, 3],
    [2, 2],
    [4, 1],
    [1, 4],
    [2, 3],
    [2, 4],
    [4, 2],
    [4, 3],
    [4, 4],
  ] as const) {
    if (
      m <= M &&
      n <= N &&
      tiles(m, n) >= context.workgroupSize &&
      m * n > tileM * tileN &&
      m * n <= context.maxTile &&
      m * n * statements.length <= MAX_EPILOGUES
    )
      [tileM, tileN] = [m, n];
  }
  const columns = Math.ceil(N / tileN);
  const tile = () =>
    registerTile({
      M,
      N,
      K,
      tileM,
      tileN,
      kMultiple: K,
      kBegin: "0u",
      kEnd: `${K}u`,
      turns: part.turns,
      a: (name, row, k) => element(part, name, a, inBatch, { name: row, length: M }, { name: k, length: K }),
      b: (name, k, column) => element(part, name, b, inBatch, { name: k, length: K }, { name: column, length: N }),
      a4: null,
      b4: null,
      epilogue: (row, column, sum) =>
        `{ let atRow = ${row}; let atColumn = ${column}; let value = ${sum}; ${statements} }`,
    });
  const perMatrix = tiles(tileM, tileN) / batch;
  return context.loop("tile", tiles(tileM, tileN), () => [
    ...(batch > 1 ? [`let batch = tile / ${perMatrix}u;`] : []),
    `let row = ${batch > 1 ? `tile % ${perMatrix}u` : "tile"} / ${columns}u * ${tileM}u;`,
    `let column = tile % ${columns}u * ${tileN}u;`,
    ...tile(),
  ]);
}

/** Lines that give `name` an operand's element. */
function element(part: Part, name: string, operand: MatrixOperand, batch: Axis, rows: Axis, columns: Axis): string[] {
  if (operand.kind === "view") {
    const axes = [...(batch.length > 1 ? [batch] : []), rows, columns];
    const body = new Body(part.point(flatAt(batch, rows, columns), axes, new Map()), `${name}v`);
    const value = body.value(operand.expression);
    return [...body.lines, `let ${name} = ${value};`];
  }
  const { tensor, transposed, repeated } = operand;
  const first = batch.length === 1 || repeated ? "" : `batch * ${rows.length * columns.length}u + `;
  const [outer, inner] = transposed ? [columns, rows] : [rows, columns];
  return [`let ${name} = ${part.load(tensor, `${first}${outer.name} * ${inner.length}u + ${inner.name}`)};`];
}

function rows(context: Context, part: Part, group: ReductionGroup): string[] {
  const rows = rowsOf(context.fusion, group, context.stores);
  const { outer, length, inner } = group.split;
  const count = outer * inner;
  let lanes = 1;
  while (count * lanes * 2 <= context.workgroupSize && lanes * 4 <= length) lanes *= 2;
  const rowsPerGroup = context.workgroupSize / lanes;
  const body = () => rowsBody(part, rows, { lanes, rowsPerGroup });
  const first = `let first = row / ${inner}u * ${length * inner}u + row % ${inner}u;`;
  if (lanes === 1) {
    return context.loop("row", count, () => [
      "let inRange = true;",
      "let lane = 0u;",
      first,
      `let end = ${length}u;`,
      ...body(),
    ]);
  }
  const lines = body();
  part.context.functions.add(`var<workgroup> laneValues: array<f32, ${context.workgroupSize}>;`);
  if (keepsIndex(rows)) part.context.functions.add(`var<workgroup> laneIndices: array<i32, ${context.workgroupSize}>;`);
  const [lane, rowLocal] =
    inner === 1 ? [`local % ${lanes}u`, `local / ${lanes}u`] : [`local / ${rowsPerGroup}u`, `local % ${rowsPerGroup}u`];
  return [
    "{",
    `let lane = ${lane};`,
    `let rowLocal = ${rowLocal};`,
    "let row = rowLocal;",
    `let inRange = row < ${count}u;`,
    first,
    `let end = select(0u, ${length}u, inRange);`,
    ...lines,
    "}",
  ];
}

function combination(context: Context, part: Part, group: CombineGroup): string[] {
  const given: [Tensor, string][] = [];
  const totals = group.combines.map(({ node, op }) => {
    const total = `total${context.next()}`;
    given.push([node, total]);
    // What the kernel's own function does where a subgroup cannot.
    if (!context.subgroup) context.turns.loop(Math.log2(context.workgroupSize), () => {});
    return `let ${total} = join_${op}(${context.variableOf(node)}, local);`;
  });
  const lines = part.at(0, [], pointsOf(context.fusion, group, context.stores), given);
  const first = context.held ? "{" : "if (local == 0u) {";
  return [...totals, first, ...lines.map((line) => `  ${line}`), "}"];
}
