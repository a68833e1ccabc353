import { contraction, sumAxes, type Tensor, topological } from "./tensor";

/** Makes a sum over all steps of what each step gives, of tensors [T, ...] that have one value for each. */
type Later = (stacked: (ofStep: Tensor) => Tensor) => Tensor;

/** A sum over steps: what must be added up step by step, and what can be had of all steps together; either may be missing. */
export interface SumOverSteps {
  readonly inStep: Tensor | null;
  readonly later: Later | null;
}

/**
 * Sums over the steps of a scan, as far as they are products: Σₜ aₜ bₜ is one product of all aₜ beside one another by all bₜ below one
 * another, which reads and writes its result once and not in each step. `kept` has the nodes of a step of which it wants all values.
 */
export class DeferredSums {
  readonly kept = new Set<Tensor>();
  private readonly varying: ReadonlySet<Tensor>;

  /** `leaves`: what is another tensor in each step. */
  constructor(terms: readonly Tensor[], leaves: readonly Tensor[]) {
    const varying = new Set(leaves);
    for (const node of topological(terms)) if (node.operands.some((operand) => varying.has(operand))) varying.add(node);
    this.varying = varying;
    for (const term of terms) this.keepFor(term);
  }

  /** Of one of the terms. */
  sumOf(term: Tensor): SumOverSteps {
    const { op, operands } = term;
    const [a, b] = operands as readonly [Tensor, Tensor];
    if (isReordering(term)) {
      const inner = this.sumOf(a);
      const { later } = inner;
      return {
        inStep: inner.inStep && (inner.inStep === a ? term : term.withOperands([inner.inStep])),
        later: later && ((stacked) => reordered(term, later(stacked))),
      };
    }
    if (isPlainSum(term)) return joined(this.sumOf(a), this.sumOf(b));
    if (op === "matmul" && this.isDeferred(term))
      return { inStep: null, later: (stacked) => this.product(term, stacked) };
    // What is kept anyway is added up at once too.
    if (op === "sum" && this.kept.has(beneath(a))) {
      const { from = 0, to = 0 } = term.attributes;
      return { inStep: null, later: (stacked) => sumAxes(sumAxes(this.ofAll(a, stacked), from + 1, to + 1), 0, 1) };
    }
    return { inStep: term, later: null };
  }

  private keepFor(term: Tensor): void {
    if (isReordering(term) || isPlainSum(term)) for (const operand of term.operands) this.keepFor(operand);
    else if (this.isDeferred(term)) for (const operand of term.operands) this.kept.add(beneath(operand));
  }

  private isDeferred({ op, operands }: Tensor): boolean {
    return op === "matmul" && operands.every((operand) => this.varying.has(operand));
  }

  /** The steps are one more axis of terms. */
  private product({ operands, attributes }: Tensor, stacked: (ofStep: Tensor) => Tensor): Tensor {
    const [a, b] = operands.map((operand) => this.ofAll(operand, stacked)) as [Tensor, Tensor];
    const { batch = 0, terms = 1 } = attributes;
    const behind = (x: Tensor, count: number) => {
      const axes = [...x.shape.keys()].slice(1);
      return x.permute([...axes.slice(0, count), 0, ...axes.slice(count)]);
    };
    return contraction(behind(a, a.shape.length - 1 - terms), behind(b, batch), batch, terms + 1);
  }

  private ofAll(node: Tensor, stacked: (ofStep: Tensor) => Tensor): Tensor {
    const [inner] = node.operands;
    return inner && isReordering(node) ? reordered(node, this.ofAll(inner, stacked), 1) : stacked(node);
  }
}

/** A step's element-wise sum of two whole operands. */
function isPlainSum({ op, operands, shape }: Tensor): boolean {
  return op === "add" && operands.every((operand) => operand.shape.join() === shape.join());
}

function isReordering({ op }: Tensor): boolean {
  return op === "permute" || op === "reshape";
}

function beneath(node: Tensor): Tensor {
  const [inner] = node.operands;
  return inner && isReordering(node) ? beneath(inner) : node;
}

/** `x` in the order in which `node` has its operand, `lead` axes before. */
function reordered({ op, attributes, shape }: Tensor, x: Tensor, lead = 0): Tensor {
  const first = [...x.shape.keys()].slice(0, lead);
  if (op === "reshape") return x.reshape([...x.shape.slice(0, lead), ...shape]);
  return x.permute([...first, ...(attributes.axes ?? []).map((axis) => axis + lead)]);
}

function joined(a: SumOverSteps, b: SumOverSteps): SumOverSteps {
  const both = <T>(x: T | null, y: T | null, add: (x: T, y: T) => T) => (x && y ? add(x, y) : (x ?? y));
  return {
    inStep: both(a.inStep, b.inStep, (x, y) => x.add(y)),
    later: both<Later>(a.later, b.later, (x, y) => (stacked) => x(stacked).add(y(stacked))),
  };
}
