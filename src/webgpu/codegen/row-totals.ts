import { type FoldOp, OPS } from "../../graph/ops";
import { accumulate, initial, type Partial } from "../../kernels/partials";
import type { Context } from "./part";
import { type Index, indexText } from "./wgsl";

/** How `joined` is divided: a share for each thread; or one, in whole rounds of the workgroup, where a subgroup joins them in registers. */
export function sharesOf(totals: number, workgroupSize: number, subgroup: boolean): { shares: number; pitch: number } {
  return subgroup
    ? { shares: 1, pitch: Math.ceil(totals / workgroupSize) * workgroupSize }
    : { shares: workgroupSize, pitch: totals };
}

/** Sums, and maxima, over the rows of a loop: each thread has its share of each in a variable. */
export class Totals {
  readonly begun: Partial[] = [];
  private readonly shares: number;
  private readonly pitch: number;

  constructor(
    private readonly context: Context,
    /** How many there will be. */
    count: number,
    private readonly prefix: string,
    /** Of a row. */
    private readonly lines: string[],
  ) {
    const { shares, pitch } = sharesOf(count, context.workgroupSize, context.subgroup);
    [this.shares, this.pitch] = [shares, pitch];
  }

  /** Begins one more, to which each row comes with `value`. */
  add(op: FoldOp, value: string): void {
    const total = { op, variable: `${this.prefix}t${this.begun.length}` };
    this.begun.push(total);
    this.lines.push(accumulate(total, value));
  }

  /** Lines behind the loop, which leave what threads have in `joined`. */
  join(): string[] {
    const { begun, pitch } = this;
    const { subgroup, workgroupSize, held } = this.context;
    if (!subgroup) return begun.map(({ variable }, i) => `joined[local * ${pitch}u + ${i}u] = ${variable};`);
    const lines = begun.map(({ op, variable }) => `let ${variable}_all = ${OPS[op].fold.subgroup}(${variable});`);
    if (held) return lines;
    // Each thread stores another of them.
    for (let first = 0; first < begun.length; first += workgroupSize) {
      const round = begun.slice(first, first + workgroupSize).map(({ variable }) => `${variable}_all`);
      const mine = round.slice(1).reduce((text, name, i) => `select(${text}, ${name}, local == ${i + 1}u)`, round[0]);
      lines.push(`joined[${first}u + local] = ${mine};`);
    }
    return lines;
  }

  /** Lines that give `name` the total `first + i`. */
  joined(name: string, op: FoldOp, first: number, i: Index): string[] {
    const { shares, pitch, context } = this;
    if (context.held) {
      const { variable } = this.begun[first + Number(i)] as Partial;
      return [`let ${name} = ${variable}_all;`];
    }
    const at = first === 0 ? indexText(i) : `${first}u + ${indexText(i)}`;
    if (context.subgroup) return [`let ${name} = joined[${at}];`];
    const share = `joined[q * ${pitch}u + ${at}]`;
    return context.turns.loop(shares, () => [
      `var ${name} = ${initial(op)};`,
      `for (var q = 0u; q < ${shares}u; q++) { ${accumulate({ op, variable: name }, share)} }`,
    ]);
  }
}
