/** A node of a step's graph, as the page draws it. */
export interface GraphNode {
  id: number;
  op: string;
  /** What the program calls it; the number, of a constant. */
  name: string;
  shape: readonly number[];
  operands: number[];
}

export interface Kernel {
  number: number;
  label: string;
  nodes: number[];
}

const LEAVES = new Set(["input", "parameter", "constant", "iota"]);
const VIEWS = new Set(["transpose", "reshape", "broadcast"]);
/** What the planner may have made of an operation. */
const ALIASES: Record<string, string[]> = {
  mul: ["mul", "square", "div"],
  add: ["add", "sub"],
  sub: ["sub", "add", "neg"],
};

/**
 * Which nodes each kernel of `explain()` computes. Its lines name the operations of a kernel in their order, not the nodes: each
 * is looked for among those whose operands are there already, nearest to the kernel's own first. What the planner
 * simplified away stays without a kernel.
 */
export function kernelsOf(explained: string, all: readonly GraphNode[]): Kernel[] {
  const { nodes, copies } = merged(all);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const done = new Set(nodes.filter(({ op }) => LEAVES.has(op)).map(({ id }) => id));
  const kernels: Kernel[] = [];
  for (const [, number, label = ""] of explained.matchAll(/^ {2}(\d+) {2}\S+ +(\S+(?: \S+)*)/gm)) {
    const [first = "", ...rest] = label.split(/[ ;]+/);
    let best: number[] = [];
    for (const start of fitting(first, nodes, byId, done)) {
      const chain = chained(start.id, rest, nodes, byId, done);
      if (chain.length > best.length) best = chain;
    }
    for (const id of best) done.add(id);
    if (best.length > 0) kernels.push({ number: Number(number), label, nodes: best });
  }
  return kernels.map((kernel) => ({ ...kernel, nodes: kernel.nodes.flatMap((id) => [id, ...(copies.get(id) ?? [])]) }));
}

/** What is written twice is computed once: the nodes without their copies, each by its first. */
function merged(all: readonly GraphNode[]): { nodes: GraphNode[]; copies: Map<number, number[]> } {
  const first = new Map<string, number>();
  const canonical = new Map<number, number>();
  const copies = new Map<number, number[]>();
  const nodes: GraphNode[] = [];
  for (const node of all) {
    const operands = node.operands.map((id) => canonical.get(id) ?? id);
    const own = node.op === "constant" ? node.name : node.op === "input" || node.op === "parameter" ? node.id : "";
    const key = JSON.stringify([node.op, own, node.shape, operands]);
    const known = first.get(key);
    canonical.set(node.id, known ?? node.id);
    if (known === undefined) {
      first.set(key, node.id);
      nodes.push({ ...node, operands });
    } else copies.set(known, [...(copies.get(known) ?? []), node.id]);
  }
  return { nodes, copies };
}

/** From one node on: for each further operation of the label one that takes what the kernel has, where there is one. */
function chained(
  start: number,
  words: readonly string[],
  nodes: readonly GraphNode[],
  byId: ReadonlyMap<number, GraphNode>,
  done: ReadonlySet<number>,
): number[] {
  const chain = [start];
  for (const word of words) {
    const found = fitting(word, nodes, byId, new Set([...done, ...chain])).find((node) =>
      sources(node, byId).some((id) => chain.includes(id)),
    );
    if (found) chain.push(found.id);
  }
  return chain;
}

/** Nodes of this operation that are not done: those whose operands are, else all, as the planner may have changed an operand. */
function fitting(
  word: string,
  nodes: readonly GraphNode[],
  byId: ReadonlyMap<number, GraphNode>,
  done: ReadonlySet<number>,
): GraphNode[] {
  const accepted = ALIASES[word] ?? [word];
  const open = nodes.filter(({ id, op }) => !done.has(id) && accepted.includes(op));
  const ready = open.filter((node) => sources(node, byId).every((id) => done.has(id)));
  return ready.length > 0 ? ready : open;
}

/** Operands, with views seen through. */
function sources({ operands }: GraphNode, byId: ReadonlyMap<number, GraphNode>): number[] {
  return operands.flatMap((id) => {
    const node = byId.get(id);
    return node && VIEWS.has(node.op) ? sources(node, byId) : [id];
  });
}
