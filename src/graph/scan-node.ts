import { type Shape, sizeOf, stridesOf } from "../util/shape";
import { type DType, rowOf } from "./ops";
import { literalOf, Tensor, topological } from "./tensor";
import { accessThrough, stepOf, type ViewStep } from "./view";

/**
 * What a scan does in each step: the graph from its `carries`, `xs` and `closed`, which are leaves, to `nextCarries` and `ys`. Whoever walks
 * a graph meets the scan alone; whoever computes it walks this too.
 */
export interface ScanBody {
  readonly length: number;
  /** The last element of xs first. */
  readonly reverse: boolean;
  readonly carries: readonly Tensor[];
  readonly xs: readonly Tensor[];
  /** What is the same in all steps. */
  readonly closed: readonly Tensor[];
  readonly nextCarries: readonly Tensor[];
  readonly ys: readonly Tensor[];
}

/** What a scan leaves: carries after the last step; what each step gave; carries before each step, which derivatives read. */
export interface ScanPart {
  readonly shape: Shape;
  readonly dtype: DType;
  /** Elements before it, where all parts lie one after another. */
  readonly offset: number;
  /** What has one for each step: the node of the body whose value each is. */
  readonly each: Tensor | null;
}

/** Gradients of weighed outputs in each of `wrt`; null where there is none. */
export type Vjp = (
  outputs: readonly Tensor[],
  weights: readonly Tensor[],
  wrt: readonly Tensor[],
) => readonly (Tensor | null)[];

/** The gradients in a scan's operands, where they are wanted, from those in its parts, of which some may be missing. */
export type ScanDerivative = (
  scan: Scan,
  gradients: readonly (Tensor | undefined)[],
  wanted: readonly boolean[],
  vjp: Vjp,
) => (Tensor | null)[];

/** Its operands are the first carries, then the xs, then what is closed over; its values are its parts, one after another. */
export class Scan extends Tensor {
  readonly parts: readonly ScanPart[];

  constructor(
    operands: readonly Tensor[],
    readonly body: ScanBody,
    /** Its gradients. What brings them comes with `scan` and not with every graph. */
    readonly derive: ScanDerivative,
  ) {
    const { length, carries, ys } = body;
    const stacked = (each: Tensor) => ({ shape: [length, ...each.shape], dtype: each.dtype, each });
    const last = carries.map(({ shape, dtype }) => ({ shape, dtype, each: null }));
    let offset = 0;
    const parts = [...last, ...ys.map(stacked), ...carries.map(stacked)].map((part) => {
      const placed = { ...part, offset };
      offset += sizeOf(part.shape);
      return placed;
    });
    super("scan", operands, [offset]);
    this.parts = parts;
  }

  override withOperands(operands: readonly Tensor[]): Scan {
    return new Scan(operands, this.body, this.derive);
  }

  /** The same with a step that is simplified; numbers and views of what it closes over are its step's own. */
  simplified(operands: readonly Tensor[], simplify: (roots: readonly Tensor[]) => Map<Tensor, Tensor>): Scan {
    const { carries, xs, closed, nextCarries, ys } = this.body;
    const begin = carries.length + xs.length;
    const leaves = new Map<Tensor, Tensor>();
    const inside = (node: Tensor): Tensor => {
      if (isFree(node)) return node;
      const steps: Tensor[] = [];
      let base = node;
      while (rowOf(base.op).kind === "view") {
        steps.unshift(base);
        base = base.operands[0] as Tensor;
      }
      const access = accessThrough(
        base.shape,
        stridesOf(base.shape),
        steps.map((view) => stepOf(view) as ViewStep),
      );
      // What would be copied is copied once, before the first step.
      if ("copy" in access || access.offset !== 0 || access.last !== null) {
        base = node;
        steps.length = 0;
      }
      const leaf = leaves.get(base) ?? leafOf(base.shape, base.dtype);
      leaves.set(base, leaf);
      return steps.reduce((x, view) => view.withOperands([x]), leaf);
    };
    const by = new Map(closed.map((leaf, i) => [leaf, inside(operands[begin + i] as Tensor)]));
    const results = replaced([...nextCarries, ...ys], by);
    const simple = simplify(results);
    const made = results.map((node) => simple.get(node) as Tensor);
    return makeScan(
      operands.slice(0, carries.length),
      operands.slice(carries.length, begin),
      [...leaves.keys()],
      {
        ...this.body,
        closed: [...leaves.values()],
        nextCarries: made.slice(0, carries.length),
        ys: made.slice(carries.length),
      },
      this.derive,
    );
  }

  /** A part as a tensor. */
  item(index: number): Tensor {
    const { shape, dtype, offset } = this.parts[index] as ScanPart;
    return new Tensor("item", [this], shape, dtype, { index, from: offset });
  }
}

/** A scan of this body, without the operands that no step reads. */
export function makeScan(
  inits: readonly Tensor[],
  xs: readonly Tensor[],
  closed: readonly Tensor[],
  body: ScanBody,
  derive: ScanDerivative,
): Scan {
  const used = new Set(topological([...body.nextCarries, ...body.ys]));
  const kept = <T>(list: readonly T[], leaves: readonly Tensor[]) =>
    list.filter((_, i) => used.has(leaves[i] as Tensor));
  return new Scan(
    [...inits, ...kept(xs, body.xs), ...kept(closed, body.closed)],
    {
      ...body,
      xs: kept(body.xs, body.xs),
      closed: kept(body.closed, body.closed),
    },
    derive,
  );
}

/** A leaf of a body. */
export function leafOf(shape: Shape, dtype: DType = "float32"): Tensor {
  return new Tensor("input", [], shape, dtype, { ofStep: true });
}

/** `roots` with other tensors in the places of some. */
export function replaced(roots: readonly Tensor[], by: ReadonlyMap<Tensor, Tensor>): Tensor[] {
  const result = new Map(by);
  const of = (node: Tensor) => result.get(node) ?? node;
  for (const node of topological(roots)) {
    if (result.has(node) || node.operands.every((operand) => of(operand) === operand)) continue;
    result.set(node, node.withOperands(node.operands.map(of)));
  }
  return roots.map(of);
}

/** Whether a node is made of literals and counting alone. */
export function isFree(node: Tensor): boolean {
  return topological([node]).every(
    (each) => each.operands.length > 0 || literalOf(each) !== null || each.op === "iota",
  );
}

/** `results` made of `leaves` alone: what they read beside those is `closed`, and `inside` are its leaves. */
export function closeOver(
  results: readonly Tensor[],
  leaves: readonly Tensor[],
): { closed: Tensor[]; inside: Tensor[]; body: Tensor[] } {
  const closed = closedOver(results, leaves);
  const inside = closed.map(({ shape, dtype }) => leafOf(shape, dtype));
  return { closed, inside, body: replaced(results, new Map(closed.map((tensor, i) => [tensor, inside[i] as Tensor]))) };
}

/** What a step reads of the graph around it: the outermost tensors that do not depend on its leaves. */
function closedOver(results: readonly Tensor[], leaves: readonly Tensor[]): Tensor[] {
  const begin = (leaves[0] as Tensor).id;
  const own = new Set<Tensor>(leaves);
  const nodes = topological(results);
  for (const node of nodes) if (node.operands.some((operand) => own.has(operand))) own.add(node);
  // What the step itself writes down, numbers and counting, is done in place.
  const outside = (node: Tensor) => !own.has(node) && (node.id < begin || !isFree(node));
  const wanted = new Set<Tensor>([
    ...results,
    ...nodes.filter((node) => own.has(node)).flatMap(({ operands }) => operands),
  ]);
  return [...wanted].filter(outside).sort((a, b) => a.id - b.id);
}
