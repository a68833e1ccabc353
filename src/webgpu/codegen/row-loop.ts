import { elementwiseRow, type FoldOp, isFold, type ReductionOp } from "../../graph/ops";
import { type Tensor, topological } from "../../graph/tensor";
import { declarePartials, joined } from "../../kernels/partials";
import { times } from "../../kernels/specialise";
import type { Expression } from "../../plan/expression";
import { type ContractionGroup, type Group, nodesOf, plainProductOf, type ReductionGroup } from "../../plan/group";
import { type Accumulate, pointsOf, type Statement } from "../../plan/nest";
import { afterSums, rowsOf } from "../../plan/nest-rows";
import { alongRows, type RowLoop } from "../../plan/segments";
import { type Context, Part } from "./part";
import { Totals } from "./row-totals";
import { atHand } from "./site";
import { Body, type Index, nameIn, type Point, type Scope } from "./wgsl";

/** A row loop as WGSL. */
export interface WrittenRowLoop {
  /** The loop over the rows, and what leaves each thread's sums in `joined`. */
  readonly loop: readonly string[];
  /** What each kernel that sums over the rows does with its sums once all threads have left theirs. */
  readonly ends: readonly { readonly group: Group; readonly lines: readonly string[] }[];
}

export function writeRowLoop(context: Context, rowLoop: RowLoop): WrittenRowLoop {
  return new RowLoopWriter(context, rowLoop).write();
}

class RowLoopWriter {
  private readonly prefix: string;
  /** What is read once a step: weights. */
  private readonly once: Scope = { lines: [], known: new Map() };
  private readonly row: Scope = { lines: [], known: new Map() };
  /** Lines of the row that only a step needs whose record is wanted. */
  private readonly recordedOnly = new Set<number>();
  private readonly partials: string[] = [];
  /** The names of a tensor's values in the row, column by column. */
  private readonly values = new Map<Tensor, string[]>();
  private readonly totals: Totals;
  private readonly ends: (() => { group: Group; lines: string[] })[] = [];

  constructor(
    private readonly context: Context,
    private readonly rowLoop: RowLoop,
  ) {
    this.prefix = `s${context.next()}_`;
    this.totals = new Totals(context, rowLoop.totals, this.prefix, this.row.lines);
  }

  write(): WrittenRowLoop {
    const { rows, groups, sums } = this.rowLoop;
    const { workgroupSize, turns } = this.context;
    turns.loop(Math.ceil(rows / workgroupSize), () => {
      for (const group of groups) {
        const part = new Part(this.context, group);
        this.partials.push(...declarePartials(part.partials()));
        const isSum = sums.has(group);
        if (group.kind === "contraction") isSum ? this.sumOfProducts(part, group) : this.product(part, group);
        else if (group.kind === "reduction") isSum ? this.sumOfRows(part, group) : this.reductions(part, group);
        else this.elements(part);
      }
    });
    const over = (lines: readonly string[]) => [
      `for (var row = local; row < ${rows}u; row += ${workgroupSize}u) {`,
      ...lines.map((line) => `  ${line}`),
      "}",
    ];
    const loop = [
      ...this.partials,
      ...declarePartials(this.totals.begun),
      ...this.once.lines,
      ...this.perRecord(over),
      ...this.totals.join(),
    ];
    return { loop, ends: this.ends.map((end) => end()) };
  }

  /** The loop; or two of them, where what is only recorded takes its time: then the steps that nobody asks for go without. */
  private perRecord(over: (lines: readonly string[]) => string[]): string[] {
    const { fusion, turns } = this.context;
    const recorded = this.rowLoop.groups
      .flatMap(({ partials }) => partials)
      .filter(({ node }) => this.isDeferred(node));
    const kept = new Set(topological([...fusion.stored]));
    const alone = topological(recorded.map(({ value }) => value)).filter((node) => !kept.has(node));
    const { lines } = this.row;
    if (!alone.some(({ op }) => elementwiseRow(op)?.expensive)) return over(lines);
    // A step goes through one of the two, and may look at the other's condition.
    turns.loop(0, () => {});
    const rest = lines.filter((_, at) => !this.recordedOnly.has(at));
    return ["if (recorded) {", ...over(lines), "} else {", ...over(rest), "}"];
  }

  /** The element `row * stride + offset` of a tensor: a value of the row, or read from memory, once a step where it is every row's. */
  private read(part: Part, tensor: Tensor, stride: number, offset: number): string {
    const own = this.values.get(tensor);
    if (own) return own[offset] as string;
    if (stride > 0) return nameIn(this.row, this.prefix, part.load(tensor, affine(stride, offset)));
    const text = part.load(tensor, offset);
    return this.once.lines.length < this.context.maxOnce ? nameIn(this.once, `${this.prefix}w`, text) : text;
  }

  /** The point at a column of the row, in a domain of so many columns. */
  private at(part: Part, columns: number, column: number, own: (tensor: Tensor) => string): Point {
    const along = (access: Parameters<typeof alongRows>[0]) => {
      const at = alongRows(access, this.rowLoop.rows, columns, column);
      if (at === null) throw new Error("internal: a row loop reads out of its row");
      return at;
    };
    return {
      index: (access) => {
        const { stride, offset } = along(access);
        return affine(stride, offset);
      },
      load: (tensor, access) => {
        const { stride, offset } = along(access);
        return this.read(part, tensor, stride, offset);
      },
      element: (tensor, index) => part.load(tensor, index),
      own,
    };
  }

  private isDeferred(node: Tensor): boolean {
    const { fusion } = this.context;
    return fusion.home.get(node) === fusion.deferred;
  }

  /** Statements at some points of the row, one behind the other. */
  private statements(part: Part, points: readonly RowPoint[], statements: readonly Statement[]): void {
    points.forEach(({ body, values }, column) => {
      this.effects(part, body, values, statements, affine(points.length, column));
    });
  }

  /** What becomes of the values of a point. */
  private effects(
    part: Part,
    body: Body,
    values: Map<Tensor, string>,
    statements: readonly Statement[],
    index: Index,
  ): void {
    const isRecorded = (statement: Statement) =>
      statement.kind === "accumulate" && this.isDeferred(statement.into.node);
    const { lines } = this.row;
    lines.push(
      ...part.effects(
        body,
        values,
        statements.filter((statement) => !isRecorded(statement)),
        index,
      ),
    );
    for (const line of part.effects(body, values, statements.filter(isRecorded), index))
      this.recordedOnly.add(lines.push(line) - 1);
  }

  private body(point: Point): Body {
    return new Body(point, this.prefix, this.row);
  }

  private named(text: string): string {
    return nameIn(this.row, this.prefix, text);
  }

  /** What is done at each column, from the values that a product's root may have there. */
  private members(part: Part, columns: number, root: readonly string[] = []): void {
    const { group } = part;
    const { given, body } = pointsOf(this.context.fusion, group, this.context.stores);
    const points = this.columnsOf(part, columns, NONE);
    for (const [column, { values }] of points.entries())
      for (const node of given) values.set(node, root[column] as string);
    this.statements(part, points, body);
    for (const node of nodesOf(group)) this.keep(node, points);
  }

  /** A node's values in the row are at hand for all that comes behind. */
  private keep(node: Tensor, points: readonly RowPoint[]): void {
    this.values.set(
      node,
      points.map(({ values }) => atHand(values, node)),
    );
  }

  private elements(part: Part): void {
    this.members(part, part.group.size / this.rowLoop.rows);
  }

  private product(part: Part, group: ContractionGroup): void {
    const { a, b, N, K } = plainOf(group);
    const products = Array.from({ length: N }, (_, j) => {
      const terms = Array.from({ length: K }, (_, k) => {
        const weight = this.read(part, b.tensor, 0, b.transposed ? j * K + k : k * N + j);
        return `${this.read(part, a.tensor, K, k)} * ${weight}`;
      });
      return this.named(balanced(terms, (x, y) => `(${x} + ${y})`));
    });
    this.members(part, N, products);
  }

  /** Reductions within the row, and what follows from them. */
  private reductions(part: Part, group: ReductionGroup): void {
    const { split, passes } = rowsOf(this.context.fusion, group, this.context.stores);
    const { length, inner } = split;
    for (const [pass, { row, accumulators, element, anew }] of passes.entries()) {
      const rows = this.columnsOf(part, inner, anew);
      this.statements(part, rows, row);
      for (const statement of row) if (statement.kind === "let") this.keep(statement.node, rows);

      const elements = this.columnsOf(part, length * inner, anew);
      const isOwn = (statement: Statement): statement is Accumulate =>
        statement.kind === "accumulate" && accumulators.some(({ into }) => into === statement.into);
      for (const { into, value } of element.filter(isOwn)) {
        const terms = elements.map(({ body }) => body.value(value));
        const names = times(inner, (column) =>
          this.reduced(
            into.op,
            terms.filter((_, at) => at % inner === column),
          ),
        );
        this.values.set(into.node, names);
      }
      for (const { into, stores } of accumulators) {
        const given = rows.map(({ body }, column) => ({
          body,
          values: new Map([[into.node, valueAt(this.values, into.node, column)]]),
        }));
        this.statements(part, given, stores);
      }
      this.statements(
        part,
        elements,
        element.filter((statement) => !isOwn(statement)),
      );
      // In the last pass all values are there; later kernels of the row may want any of them.
      if (pass === passes.length - 1)
        for (const [node, value] of anew)
          this.values.set(
            node,
            elements.map(({ body }) => body.value(value)),
          );
    }
  }

  /** The points at so many columns of the row, where values of elements are computed anew. */
  private columnsOf(part: Part, columns: number, anew: ReadonlyMap<Tensor, Expression>) {
    return times(columns, (column) => {
      const values = new Map<Tensor, string>();
      const own = (tensor: Tensor): string => {
        const value = anew.get(tensor);
        if (value !== undefined) return body.value(value);
        return values.get(tensor) ?? valueAt(this.values, tensor, column);
      };
      const body: Body = this.body(this.at(part, columns, column, own));
      return { body, values };
    });
  }

  private reduced(op: ReductionOp, parts: readonly string[]): string {
    if (isFold(op)) return this.named(balanced(parts, (x, y) => `(${joined(op, x, y)})`));
    let [largest, at] = [parts[0] as string, "0i"];
    parts.slice(1).forEach((part, i) => {
      at = this.named(`select(${at}, ${i + 1}i, exceeds(${part}, ${largest}))`);
      largest = this.named(joined("max", largest, part));
    });
    return at;
  }

  private sumOfProducts(part: Part, group: ContractionGroup): void {
    const { root, a, b, M, N } = plainOf(group);
    const first = this.totals.begun.length;
    for (let i = 0; i < M; i++) {
      for (let j = 0; j < N; j++)
        this.totals.add("sum", `${this.read(part, a.tensor, M, i)} * ${this.read(part, b.tensor, N, j)}`);
    }
    this.ends.push(() => {
      const points = pointsOf(this.context.fusion, group, this.context.stores);
      const lines = this.context.each(M * N, (i) => [
        ...this.totals.joined("value", "sum", first, i),
        ...part.at(i, [], points, [[root, "value"]]),
      ]);
      return { group, lines };
    });
  }

  private sumOfRows(part: Part, group: ReductionGroup): void {
    const rows = rowsOf(this.context.fusion, group, this.context.stores);
    const { inner } = group.split;
    const firsts: { readonly node: Tensor; readonly op: FoldOp; readonly first: number }[] = [];
    // A row loop takes up only what sums in its first pass.
    for (const statement of rows.passes[0]?.element ?? []) {
      if (statement.kind !== "accumulate") continue;
      const { op, node } = statement.into;
      if (!isFold(op)) throw new Error(`internal: a row loop of an ${op} over its rows`);
      firsts.push({ node, op, first: this.totals.begun.length });
      for (let column = 0; column < inner; column++) {
        const point = this.at(part, inner, column, () => {
          throw new Error("internal: a sum over rows of its own kernel's values");
        });
        this.totals.add(op, this.body(point).value(statement.value));
      }
    }
    this.ends.push(() => {
      const after = afterSums(rows);
      const given = firsts.map(({ node, first }) => [node, `total${first}`] as const);
      const lines = this.context.each(inner, (i) => [
        ...firsts.flatMap(({ op, first }) => this.totals.joined(`total${first}`, op, first, i)),
        ...part.at(i, [], after, given),
      ]);
      return { group, lines };
    });
  }
}

/** No values are computed anew. */
const NONE: ReadonlyMap<Tensor, Expression> = new Map();

/** A column of the row: what computes there, and what it has computed. */
interface RowPoint {
  readonly body: Body;
  readonly values: Map<Tensor, string>;
}

/** A tensor's value at a column of the row, of which it may have but one for several. */
function valueAt(known: ReadonlyMap<Tensor, readonly string[]>, tensor: Tensor, column: number): string {
  const values = known.get(tensor);
  if (!values) throw new Error(`internal: ${tensor.op} #${tensor.id} is read before it is computed`);
  return values[column % values.length] as string;
}

/** A row loop takes up no other products. */
function plainOf(group: ContractionGroup) {
  const plain = plainProductOf(group);
  if (plain === null) throw new Error("internal: a row loop of a product that is not plain");
  return plain;
}

function affine(stride: number, offset: number): Index {
  if (stride === 0) return offset;
  return `row * ${stride}u + ${offset}u`;
}

/** Joined as a tree: its rounding error grows with its height. */
function balanced(terms: readonly string[], join: (a: string, b: string) => string): string {
  if (terms.length === 1) return terms[0] as string;
  const half = Math.ceil(terms.length / 2);
  return join(balanced(terms.slice(0, half), join), balanced(terms.slice(half), join));
}
