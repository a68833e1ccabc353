import type { Lesson, LessonNode } from "./lesson";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN] = [92, 38, 34, 26, 24];

function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number> = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** As a person reads it. */
export const PASSES: Record<LessonNode["pass"], string> = {
  given: "given",
  forward: "forward",
  backward: "backward",
  update: "the update",
};

interface Place {
  x: number;
  y: number;
}

/**
 * The graph of a step from left to right; around the nodes of one kernel, one band. One node is in the order of the tab
 * key, the one that was there last; arrow keys go to its operands, to what takes it, and up and down its column.
 */
export class GraphView {
  private readonly elements = new Map<number, SVGGElement>();
  private places = new Map<number, Place>();
  private nodes: readonly LessonNode[] = [];

  constructor(
    private readonly box: HTMLElement,
    private readonly chosen: (id: number) => void,
  ) {}

  /** Draws the graph, in its own size. */
  begin({ nodes, kernels }: Lesson): SVGSVGElement {
    this.nodes = nodes;
    this.places = placed(nodes);
    const values = [...this.places.values()];
    const width = Math.max(...values.map(({ x }) => x)) + WIDTH + MARGIN;
    const height = Math.max(...values.map(({ y }) => y)) + HEIGHT + MARGIN;
    const drawing = svg("svg", {
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "group",
      "aria-label": "The graph of the step: arrow keys go from node to node, Enter shows one",
    });
    for (const kernel of kernels) drawing.append(this.band(kernel.nodes, nodes, kernel.number));
    for (const node of nodes) for (const operand of node.operands) drawing.append(this.edge(operand, node.id));
    this.elements.clear();
    for (const node of nodes)
      drawing.append(this.node(node, kernels.find((each) => each.nodes.includes(node.id))?.number));
    for (const kernel of kernels) {
      const { x, y } = this.at(kernel.nodes[0] as number);
      drawing.append(svg("text", { class: "band-name", x: x - 3, y: y - 10 }, `kernel ${kernel.number}`));
    }
    this.box.replaceChildren(drawing);
    return drawing;
  }

  show(id: number, done: ReadonlySet<number>): void {
    for (const [each, element] of this.elements) {
      element.classList.toggle("now", each === id);
      element.classList.toggle("waits", !done.has(each));
      if (each === id) element.setAttribute("aria-current", "step");
      else element.removeAttribute("aria-current");
    }
    this.reach(id);
    const [node, box] = [this.elements.get(id)?.getBoundingClientRect(), this.box.getBoundingClientRect()];
    if (!node) return;
    const hidden = node.left < box.left || node.right > box.right || node.top < box.top || node.bottom > box.bottom;
    if (hidden)
      this.box.scrollBy({ left: node.left - box.left - box.width / 2, top: node.top - box.top - box.height / 2 });
  }

  /** Has the tab key lead to this node, and to none beside it. */
  private reach(id: number): void {
    for (const [each, element] of this.elements) element.setAttribute("tabindex", each === id ? "0" : "-1");
  }

  private pressed(event: KeyboardEvent, id: number): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") this.chosen(id);
    else {
      const next = this.next(event.key, id);
      if (next === undefined) return;
      this.reach(next);
      this.elements.get(next)?.focus();
    }
    event.preventDefault();
    event.stopPropagation(); // elsewhere on the page, arrow keys step through the operations
  }

  /** Where a key leads from a node; the node itself where there is nothing further that way. */
  private next(key: string, id: number): number | undefined {
    const own = this.at(id);
    const nearest = (ids: readonly number[]) =>
      [...ids].sort((a, b) => Math.abs(this.at(a).y - own.y) - Math.abs(this.at(b).y - own.y))[0] ?? id;
    const column = this.nodes.map((node) => node.id).filter((each) => this.at(each).x === own.x);
    switch (key) {
      case "ArrowLeft":
        return nearest(this.nodes.find((node) => node.id === id)?.operands ?? []);
      case "ArrowRight":
        return nearest(this.nodes.flatMap((node) => (node.operands.includes(id) ? [node.id] : [])));
      case "ArrowUp":
        return nearest(column.filter((each) => this.at(each).y < own.y));
      case "ArrowDown":
        return nearest(column.filter((each) => this.at(each).y > own.y));
      case "Home":
        return this.nodes[0]?.id;
      case "End":
        return this.nodes[this.nodes.length - 1]?.id;
      default:
        return undefined;
    }
  }

  private node({ id, name, op, shape, pass }: LessonNode, kernel: number | undefined): SVGGElement {
    const { x, y } = this.at(id);
    const what = `${name === op ? "" : `${name}: `}${op} [${shape.join(", ")}]`;
    const title = `${what}${kernel ? `, kernel ${kernel}` : ""}, ${PASSES[pass]}`;
    const group = svg("g", {
      class: `graph-node ${pass}`,
      transform: `translate(${x} ${y})`,
      role: "button",
      tabindex: -1,
    });
    group.append(
      svg("title", {}, title),
      svg("rect", { width: WIDTH, height: HEIGHT, rx: 8 }),
      svg("text", { x: WIDTH / 2, y: 16, "text-anchor": "middle" }, name.length > 13 ? `${name.slice(0, 12)}…` : name),
      svg(
        "text",
        { x: WIDTH / 2, y: 30, "text-anchor": "middle", class: "shape" },
        `${name === op || pass === "given" ? "" : `${symbol(op)} `}[${shape.join(", ")}]`,
      ),
    );
    group.addEventListener("click", () => this.chosen(id));
    group.addEventListener("keydown", (event) => this.pressed(event, id));
    this.elements.set(id, group);
    return group;
  }

  private edge(from: number, to: number): SVGPathElement {
    const [a, b] = [this.at(from), this.at(to)];
    const [x0, y0, x1, y1] = [a.x + WIDTH, a.y + HEIGHT / 2, b.x, b.y + HEIGHT / 2];
    const bend = Math.max(20, (x1 - x0) / 2);
    return svg("path", { class: "graph-edge", d: `M${x0} ${y0}C${x0 + bend} ${y0} ${x1 - bend} ${y1} ${x1} ${y1}` });
  }

  /** Thick lines between the nodes of a kernel, and under each of them: together they read as one outline. */
  private band(ids: readonly number[], nodes: readonly LessonNode[], number: number): SVGGElement {
    const group = svg("g", { class: `band band-${(number - 1) % 8}` });
    for (const id of ids) {
      const { x, y } = this.at(id);
      group.append(svg("rect", { x: x - 7, y: y - 7, width: WIDTH + 14, height: HEIGHT + 14, rx: 14 }));
      for (const operand of nodes.find((node) => node.id === id)?.operands ?? []) {
        if (!ids.includes(operand)) continue;
        const from = this.at(operand);
        const line = { x1: from.x + WIDTH, y1: from.y + HEIGHT / 2, x2: x, y2: y + HEIGHT / 2 };
        group.append(svg("line", line));
      }
    }
    return group;
  }

  private at(id: number): Place {
    return this.places.get(id) ?? { x: 0, y: 0 };
  }
}

function symbol(op: string): string {
  return { matmul: "·", add: "+", sub: "−", mul: "×", div: "÷", permute: "ᵀ" }[op] ?? op;
}

/** Columns by the longest way from a leaf; in a column by the middle of the operands, and none on another. */
function placed(nodes: readonly LessonNode[]): Map<number, Place> {
  const rows = new Map<number, number>();
  const columns = [...new Set(nodes.map(({ column }) => column))].sort((a, b) => a - b);
  const places = new Map<number, Place>();
  for (const column of columns) {
    const own = nodes
      .filter((node) => node.column === column)
      .map((node) => {
        const known = node.operands.map((id) => rows.get(id)).filter((row) => row !== undefined);
        return { node, wish: known.length > 0 ? known.reduce((sum, row) => sum + row, 0) / known.length : 0.5 };
      })
      .sort((a, b) => a.wish - b.wish);
    let free = 0;
    for (const { node, wish } of own) {
      const row = Math.max(free, Math.round(wish * 2) / 2);
      rows.set(node.id, row);
      free = row + 1;
      places.set(node.id, { x: MARGIN + column * (WIDTH + GAP_X), y: MARGIN + row * (HEIGHT + GAP_Y) });
    }
  }
  return places;
}
