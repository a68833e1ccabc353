import { elementwiseRow, type FoldOp, isFold, OPS } from "../../graph/ops";
import { type Tensor, topological } from "../../graph/tensor";
import { accumulate, declarePartials, initial, joined } from "../../kernels/partials";
import { isInlinable } from "../../plan/expression";
import {
  type ContractionGroup,
  type Group,
  nodesOf,
  plainProductOf,
  type ReductionGroup,
  rootOf,
} from "../../plan/group";
import { alongRows, type RowLoop } from "../../plan/segments";
import { sizeOf } from "../../util/shape";
import { type Context, Part } from "./part";
import { atHand } from "./site";
import { Body, nameIn, type Point, type Scope } from "./wgsl";

/** A row loop as WGSL. */
export interface WrittenRowLoop {
  /** The loop over the rows, and what leaves each thread's sums in `joined`. */
  readonly loop: readonly string[];
  /** What each kernel that sums over the rows does with its sums once all threads have left theirs. */
  readonly ends: readonly { readonly group: Group; readonly lines: readonly string[] }[];
}

/** How `joined` is divided: a share for each thread; or one, in whole rounds of the workgroup, where a subgroup joins them in registers. */
export function sharesOf(totals: number, workgroupSize: number, subgroup: boolean): { shares: number; pitch: number } {
  return subgroup
    ? { shares: 1, pitch: Math.ceil(totals / workgroupSize) * workgroupSize }
    : { shares: workgroupSize, pitch: totals };
}

/** A sum, or maximum, over the rows: each thread's share is in a variable. */
interface Total {
  readonly op: FoldOp;
  readonly variable: string;
}

export function writeRowLoop(context: Context, rowLoop: RowLoop): WrittenRowLoop {
  return new RowLoopWriter(context, rowLoop).write();
}

class RowLoopWriter {
  private readonly prefix: string;
  /** What is read once a step: weights. */
  private readonly once: Scope = { lines: [], known: new Map() };
  private readonly row: Scope = { lines: [], known: new Map() };
  private readonly partials: string[] = [];
  /** The names of a tensor's values in the row, column by column. */
  private readonly values = new Map<Tensor, string[]>();
  private readonly totals: Total[] = [];
  private readonly ends: (() => { group: Group; lines: string[] })[] = [];

  constructor(
    private readonly context: Context,
    private readonly rowLoop: RowLoop,
  ) {
    this.prefix = `s${context.next()}_`;
  }

  write(): WrittenRowLoop {
    const { rows, groups, sums } = this.rowLoop;
    const { workgroupSize, turns } = this.context;
    turns.loop(Math.ceil(rows / workgroupSize), () => {
      for (const group of groups) {
        const part = new Part(this.context, group);
        this.partials.push(...declarePartials(part.partialSpecs()));
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
      ...declarePartials(this.totals),
      ...this.once.lines,
      ...this.perRecord(over),
      ...this.join(),
    ];
    return { loop, ends: this.ends.map((end) => end()) };
  }

  /** The loop; or two of them, where what is only recorded takes its time: then the steps that nobody asks for go without. */
  private perRecord(over: (lines: readonly string[]) => string[]): string[] {
    const { fusion, turns, variableOf } = this.context;
    const recorded = this.rowLoop.groups
      .flatMap(({ partials }) => partials)
      .filter(({ node }) => fusion.home.get(node) === fusion.deferred);
    const kept = new Set(topological([...fusion.stored]));
    const alone = topological(recorded.map(({ value }) => value)).filter((node) => !kept.has(node));
    const { lines } = this.row;
    if (!alone.some(({ op }) => elementwiseRow(op)?.expensive)) return over(lines);
    // A step goes through one of the two, and may look at the other's condition.
    turns.loop(0, () => {});
    const variables = recorded.map(({ node }) => `${variableOf(node)} `);
    const rest = lines.filter((line) => !variables.some((variable) => line.startsWith(variable)));
    return ["if (recorded) {", ...over(lines), "} else {", ...over(rest), "}"];
  }

  /** The element `row * stride + offset` of a tensor: a value of the row, or read from memory, once a step where it is every row's. */
  private read(part: Part, tensor: Tensor, stride: number, offset: number): string {
    const own = this.values.get(tensor);
    if (own) return own[offset] as string;
    if (stride > 0) return nameIn(this.row, this.prefix, part.load(tensor, affine(stride, offset)));
    const text = part.load(tensor, `${offset}u`);
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

  private body(point: Point): Body {
    return new Body(point, this.prefix, this.row);
  }

  private named(text: string): string {
    return nameIn(this.row, this.prefix, text);
  }

  /** Members at each column, from the values that `root` may have there. */
  private members(part: Part, columns: number, root: readonly string[] | null): void {
    const { group } = part;
    const nodes = nodesOf(group);
    const product = rootOf(group);
    for (const node of nodes) this.values.set(node, []);
    for (let column = 0; column < columns; column++) {
      const values = new Map<Tensor, string>();
      if (product && root) values.set(product, root[column] as string);
      const point = this.at(part, columns, column, (tensor) => atHand(values, tensor));
      this.row.lines.push(...part.epilogue(this.body(point), values, affine(columns, column)));
      for (const node of nodes) (this.values.get(node) as string[]).push(atHand(values, node));
    }
  }

  private elements(part: Part): void {
    this.members(part, part.group.size / this.rowLoop.rows, null);
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
    const { fusion } = part;
    const { length, inner } = group.split;
    const columns = length * inner;
    const bodies = new Map<string, Body>();
    const bodyAt = (count: number, column: number): Body => {
      const key = `${count},${column}`;
      const own = (tensor: Tensor) => {
        const values = this.values.get(tensor);
        if (!values) throw new Error(`internal: ${tensor.op} #${tensor.id} is read before it is computed`);
        return values[values.length === count ? column : column % inner] as string;
      };
      const known = bodies.get(key) ?? this.body(this.at(part, count, column, own));
      bodies.set(key, known);
      return known;
    };
    const widthOf = (node: Tensor) => sizeOf(node.shape) / this.rowLoop.rows;
    for (const node of group.members) {
      const width = widthOf(node);
      const names = Array.from({ length: width }, (_, column) => {
        if (isInlinable(node)) return bodyAt(width, column).value(fusion.definition(group, node));
        const expression = fusion.expression(group, node.operands[0] as Tensor);
        const parts = Array.from({ length }, (_, l) => bodyAt(columns, l * inner + column).value(expression));
        return this.reduced(node, parts);
      });
      this.values.set(node, names);
      names.forEach((name, column) => {
        this.row.lines.push(...part.stored(node, affine(width, column), name));
      });
    }
    const specs = part.partialSpecs();
    group.partials.forEach(({ value }, i) => {
      const width = widthOf(value);
      for (let column = 0; column < width; column++) {
        const text = bodyAt(width, column).value(fusion.expression(group, value));
        this.row.lines.push(accumulate(specs[i] as Total, text));
      }
    });
  }

  private reduced({ op }: Tensor, parts: readonly string[]): string {
    if (isFold(op)) return this.named(balanced(parts, (x, y) => `(${joined(op, x, y)})`));
    let [largest, at] = [parts[0] as string, "0i"];
    parts.slice(1).forEach((part, i) => {
      at = this.named(`select(${at}, ${i + 1}i, exceeds(${part}, ${largest}))`);
      largest = this.named(joined("max", largest, part));
    });
    return at;
  }

  private add(op: Total["op"], value: string): void {
    const total = { op, variable: `${this.prefix}t${this.totals.length}` };
    this.totals.push(total);
    this.row.lines.push(accumulate(total, value));
  }

  private sumOfProducts(part: Part, group: ContractionGroup): void {
    const { root, a, b, M, N } = plainOf(group);
    const first = this.totals.length;
    for (let i = 0; i < M; i++) {
      for (let j = 0; j < N; j++)
        this.add("sum", `${this.read(part, a.tensor, M, i)} * ${this.read(part, b.tensor, N, j)}`);
    }
    this.ends.push(() => {
      const lines = this.context.each(M * N, (i) => {
        const values = new Map<Tensor, string>([[root, "value"]]);
        const body = new Body(part.point(i, [], values), "v");
        const end = part.epilogue(body, values, i);
        return [...this.joined("value", "sum", first, i), ...body.lines, ...end];
      });
      return { group, lines };
    });
  }

  private sumOfRows(part: Part, group: ReductionGroup): void {
    const { fusion } = part;
    const { inner } = group.split;
    const firsts = new Map<Tensor, number>();
    for (const node of group.members) {
      if (isInlinable(node)) continue;
      firsts.set(node, this.totals.length);
      for (let column = 0; column < inner; column++) {
        const point = this.at(part, inner, column, () => {
          throw new Error("internal: a sum over rows of its own kernel's values");
        });
        const value = this.body(point).value(fusion.expression(group, node.operands[0] as Tensor));
        this.add(node.op as FoldOp, value);
      }
    }
    this.ends.push(() => {
      const lines = this.context.each(inner, (i) => {
        const values = new Map<Tensor, string>();
        const body = new Body(part.point(i, [], values), "v");
        const sums: string[] = [];
        const stores: string[] = [];
        for (const node of group.members) {
          const first = firsts.get(node);
          const name = first === undefined ? body.value(fusion.definition(group, node)) : `total${first}`;
          if (first !== undefined) sums.push(...this.joined(name, node.op as FoldOp, first, i));
          values.set(node, name);
          stores.push(...part.stored(node, i, name));
        }
        return [...sums, ...body.lines, ...stores];
      });
      return { group, lines };
    });
  }

  private shares(): { shares: number; pitch: number } {
    return sharesOf(this.rowLoop.totals, this.context.workgroupSize, this.context.subgroup);
  }

  private join(): string[] {
    const { subgroup, workgroupSize, held } = this.context;
    if (!subgroup) {
      const { pitch } = this.shares();
      return this.totals.map(({ variable }, i) => `joined[local * ${pitch}u + ${i}u] = ${variable};`);
    }
    const lines = this.totals.map(({ op, variable }) => `let ${variable}_all = ${OPS[op].fold.subgroup}(${variable});`);
    if (held) return lines;
    // Each thread stores another of them.
    for (let first = 0; first < this.totals.length; first += workgroupSize) {
      const round = this.totals.slice(first, first + workgroupSize).map(({ variable }) => `${variable}_all`);
      const mine = round.slice(1).reduce((text, name, i) => `select(${text}, ${name}, local == ${i + 1}u)`, round[0]);
      lines.push(`joined[${first}u + local] = ${mine};`);
    }
    return lines;
  }

  /** Lines that give `name` the total `first + i`. */
  private joined(name: string, op: Total["op"], first: number, i: string): string[] {
    if (this.context.held) {
      const { variable } = this.totals[first + Number.parseInt(i, 10)] as Total;
      return [`let ${name} = ${variable}_all;`];
    }
    const at = first === 0 ? i : `${first}u + ${i}`;
    if (this.context.subgroup) return [`let ${name} = joined[${at}];`];
    const { shares, pitch } = this.shares();
    const share = `joined[q * ${pitch}u + ${at}]`;
    return this.context.turns.loop(shares, () => [
      `var ${name} = ${initial(op)};`,
      `for (var q = 0u; q < ${shares}u; q++) { ${accumulate({ op, variable: name }, share)} }`,
    ]);
  }
}

/** A row loop takes up no other products. */
function plainOf(group: ContractionGroup) {
  const plain = plainProductOf(group);
  if (plain === null) throw new Error("internal: a row loop of a product that is not plain");
  return plain;
}

function affine(stride: number, offset: number): string {
  if (stride === 0) return `${offset}u`;
  return `row * ${stride}u + ${offset}u`;
}

/** Joined as a tree: its rounding error grows with its height. */
function balanced(terms: readonly string[], join: (a: string, b: string) => string): string {
  if (terms.length === 1) return terms[0] as string;
  const half = Math.ceil(terms.length / 2);
  return join(balanced(terms.slice(0, half), join), balanced(terms.slice(half), join));
}
