import { checkFlag, checkOptions, isRecord, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape, type Shape, sameShape, sizeOf } from "../util/shape";
import type { DType } from "./ops";
import { literalOf, Tensor, topological } from "./tensor";

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

/** Its operands are the first carries, then the xs, then what is closed over; its values are its parts, one after another. */
export class Scan extends Tensor {
  readonly parts: readonly ScanPart[];

  constructor(
    operands: readonly Tensor[],
    readonly body: ScanBody,
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
    return new Scan(operands, this.body);
  }

  /** A part as a tensor. */
  item(index: number): Tensor {
    const { shape, dtype, offset } = this.parts[index] as ScanPart;
    return new Tensor("item", [this], shape, dtype, { index, from: offset });
  }
}

export function asScan(node: Tensor | undefined): Scan {
  if (node instanceof Scan) return node;
  throw new Error(`internal: ${node?.op} is no scan`);
}

/** A scan of this body, without the operands that no step reads. */
export function makeScan(
  inits: readonly Tensor[],
  xs: readonly Tensor[],
  closed: readonly Tensor[],
  body: ScanBody,
): Scan {
  const used = new Set(topological([...body.nextCarries, ...body.ys]));
  const kept = <T>(list: readonly T[], leaves: readonly Tensor[]) =>
    list.filter((_, i) => used.has(leaves[i] as Tensor));
  return new Scan([...inits, ...kept(xs, body.xs), ...kept(closed, body.closed)], {
    ...body,
    xs: kept(body.xs, body.xs),
    closed: kept(body.closed, body.closed),
  });
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

/**
 * `step` over the first axis of `xs` [T, ...], from the carries of `init`: what an LSTM or a GRU is made of. It is called once, with
 * tensors that stand for the carries and for one element of `xs`, and gives the next carries, of the same names and shapes, and `y`.
 * `carry` is what the last step left, `ys` what each gave, [T, ...]. With `reverse` the steps go from the end of `xs`, and `ys` stand
 * where their x does. Compile time and kernels do not grow with T; `grad` goes through time, in another scan. Throws ShapeError where
 * a step changes a carry's shape, TypeError for what is no tensor.
 */
export function scan<C extends Record<string, Tensor>>(
  step: (carry: C, x: Tensor) => { carry: C; y: Tensor },
  init: C,
  xs: Tensor,
  options: { reverse?: boolean } = {},
): { carry: C; ys: Tensor } {
  if (typeof step !== "function") throw new TypeError(`scan: step is ${shown(step)}; it must be a function (carry, x)`);
  checkOptions("scan", options, ["reverse"]);
  const { reverse = false } = options;
  checkFlag("scan", "reverse", reverse);
  const first = carriesOf("init", init);
  if (!(xs instanceof Tensor)) throw new TypeError(`scan: xs must be a Tensor, not ${shown(xs, Tensor)}`);
  const [length, ...inner] = xs.shape;
  if (length === undefined) throw new ShapeError("scan: xs is a scalar; it must have an axis to step over, [T, ...]");

  const carries = first.map(([, { shape }]) => leafOf(shape));
  const x = leafOf(inner, xs.dtype);
  const named = (tensors: readonly Tensor[]) => Object.fromEntries(first.map(([name], i) => [name, tensors[i]])) as C;
  const given = step(named(carries), x);
  if (!isRecord(given)) throw new TypeError(`scan: the step gave ${shown(given)}; it must give {carry, y}`);
  if (!(given.y instanceof Tensor))
    throw new TypeError(`scan: the step gave a y that is ${shown(given.y, Tensor)}; it must be a Tensor`);
  const next = new Map(carriesOf("the step's carry", given.carry));
  for (const name of next.keys()) {
    if (!Object.hasOwn(init, name))
      throw new TypeError(`scan: the step gave a carry "${name}", which init does not have`);
  }
  const nextCarries = first.map(([name, { shape }]) => {
    const made = next.get(name);
    if (made === undefined) throw new TypeError(`scan: the step gave no carry "${name}", which init has`);
    if (!sameShape(made.shape, shape)) {
      throw new ShapeError(
        `scan: the carry "${name}" is ${formatShape(shape)} in init and ${formatShape(made.shape)} after a step; they must be equal`,
      );
    }
    return made;
  });

  const leaves = [...carries, x];
  const results = [...nextCarries, given.y];
  const closed = closedOver(results, leaves);
  const inside = closed.map(({ shape, dtype }) => leafOf(shape, dtype));
  const body = replaced(results, new Map(closed.map((tensor, i) => [tensor, inside[i] as Tensor])));
  const made = makeScan(
    first.map(([, tensor]) => tensor),
    [xs],
    closed,
    { length, reverse, carries, xs: [x], closed: inside, nextCarries: body.slice(0, -1), ys: body.slice(-1) },
  );
  return { carry: named(first.map((_, i) => made.item(i))), ys: made.item(first.length) };
}

/** What a step reads of the graph around it: the outermost tensors that do not depend on its leaves. */
export function closedOver(results: readonly Tensor[], leaves: readonly Tensor[]): Tensor[] {
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

function carriesOf(part: string, carries: Record<string, Tensor>): [string, Tensor][] {
  if (!isRecord(carries) || carries instanceof Tensor)
    throw new TypeError(`scan: ${part} is ${shown(carries, Tensor)}; it must be an object of tensors by name`);
  return Object.entries(carries).map(([name, tensor]) => {
    if (!(tensor instanceof Tensor))
      throw new TypeError(`scan: ${part} has "${name}", which is ${shown(tensor, Tensor)} and not a Tensor`);
    if (tensor.dtype !== "float32")
      throw new TypeError(`scan: the carry "${name}" is ${tensor.dtype}; carries are float32`);
    return [name, tensor];
  });
}
