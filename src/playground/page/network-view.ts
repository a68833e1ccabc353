import { ACTIVATIONS, type HiddenLayer, LIMITS, within } from "../config";
import { type Look, type Made, SHOWN_UNITS } from "../training/messages";
import { css, palette, signed } from "./colors";
import { context, h, sharpen } from "./dom";
import { CellImage } from "./plane-view";

export interface Picked {
  layer: number;
  unit: number;
  /** As a person reads it. */
  name: string;
}

interface Column {
  /** -1 for the inputs. */
  layer: number;
  units: number;
  nodes: HTMLButtonElement[];
  canvases: HTMLCanvasElement[];
}

const MOST_INPUTS = 8;

/** The network as it stands: a picture for each neuron, weights as lines between; layers are changed at their heads. */
export class NetworkView {
  private columns: Column[] = [];
  private made: Made | null = null;
  private look: Look | null = null;
  private cells: CellImage | null = null;
  private pinned: HTMLButtonElement | null = null;
  private readonly edges = h("canvas", { class: "edges", "aria-hidden": "true" });
  private readonly row = h("div", { class: "columns" });

  constructor(
    box: HTMLElement,
    private readonly changed: (layers: HiddenLayer[]) => void,
    private readonly picked: (picked: Picked | null) => void,
  ) {
    box.replaceChildren(this.edges, this.row);
    new ResizeObserver(() => this.drawEdges()).observe(box);
  }

  begin(made: Made, layers: readonly HiddenLayer[]): void {
    const focused = this.row.contains(document.activeElement) ? document.activeElement?.getAttribute("data-key") : null;
    this.made = made;
    this.look = null;
    this.pinned = null;
    this.picked(null);
    this.cells = made.plane ? new CellImage(made.plane.cells) : null;
    this.columns = [];
    this.row.replaceChildren(
      this.inputColumn(made),
      ...layers.map((layer, index) => this.hiddenColumn(layers, layer, index)),
      this.addColumn(layers),
      this.outputColumn(made, layers.length),
    );
    if (focused) this.row.querySelector<HTMLElement>(`[data-key="${focused}"]`)?.focus();
    this.draw();
  }

  /** The same network, of which the plane shows other features. */
  turn(made: Made): void {
    this.made = made;
    this.columns[0]?.nodes.forEach((node, unit) => {
      node.disabled = !made.axes.includes(unit);
    });
    this.draw();
  }

  show(look: Look): void {
    this.look = look;
    this.draw();
  }

  draw(): void {
    const { made, look, cells } = this;
    if (!made) return;
    for (const { layer, canvases } of this.columns) {
      canvases.forEach((canvas, unit) => {
        const pen = context(canvas);
        pen.clearRect(0, 0, canvas.width, canvas.height);
        const values = layer >= 0 ? look?.layers[layer] : undefined;
        if (cells && layer === -1) {
          const axis = made.axes.indexOf(unit);
          if (axis >= 0) cells.ramp(axis === 1 ? 1 : 0).drawTo(pen, 0, 0, canvas.width, canvas.height);
        } else if (cells && made.plane && values) {
          cells.neuron(made, values, layer, unit).drawTo(pen, 0, 0, canvas.width, canvas.height);
        } else if (made.image > 0 && layer === 0 && look) {
          drawImage(pen, canvas, incoming(look, 0, unit, made.widths[1] ?? 1), made.image);
        }
      });
    }
    this.drawEdges();
  }

  private inputColumn({ features, image }: Made): HTMLElement {
    const names = image > 0 ? [`${image}×${image} pixels`] : features.slice(0, MOST_INPUTS);
    const more = image > 0 ? 0 : features.length - names.length;
    const nodes = names.map((name, unit) => this.node({ layer: -1, unit, name }, image > 0 ? "wide" : ""));
    const said = h("p", { class: "sub" }, String(features.length));
    return this.column("Inputs", -1, names.length, nodes, more, said, names);
  }

  private outputColumn({ classes, target, widths }: Made, layer: number): HTMLElement {
    const units = Math.min(widths[widths.length - 1] ?? 1, SHOWN_UNITS);
    const names = target ? [target.name] : units === 1 ? [classes[1] ?? ""] : classes.slice(0, units);
    const nodes = names.map((name, unit) => {
      const kind = target ? "output number" : `output class-${(units === 1 ? 1 : unit) % 10}`;
      return this.node({ layer, unit, name: `output ${name}` }, kind);
    });
    const more = (widths[widths.length - 1] ?? 1) - units;
    const said = target ? "a number" : String(classes.length);
    return this.column("Outputs", layer, units, nodes, more, h("p", { class: "sub" }, said), names);
  }

  private hiddenColumn(layers: readonly HiddenLayer[], layer: HiddenLayer, index: number): HTMLElement {
    const change = (next: Partial<HiddenLayer> | null) =>
      this.changed(layers.flatMap((each, i) => (i !== index ? [each] : next ? [{ ...each, ...next }] : [])));
    const title = `Layer ${index + 1}`;
    const button = (text: string, label: string, key: string, act: () => void) =>
      h("button", { type: "button", class: "mini", "aria-label": label, "data-key": key, click: act }, text);
    const units = h("input", {
      type: "number",
      min: LIMITS.units[0],
      max: LIMITS.units[1],
      value: layer.units,
      "aria-label": `${title}: neurons`,
      "data-key": `units${index}`,
    });
    units.addEventListener("change", () => change({ units: within("units", units.valueAsNumber, layer.units) }));
    const activation = h("select", { "aria-label": `${title}: activation`, "data-key": `activation${index}` });
    for (const each of ACTIVATIONS) {
      activation.append(h("option", { value: each, selected: each === layer.activation }, each));
    }
    activation.addEventListener("change", () => {
      const chosen = ACTIVATIONS.find((each) => each === activation.value);
      if (chosen) change({ activation: chosen });
    });
    const resized = (by: number) => () => change({ units: within("units", layer.units + by, layer.units) });
    const head = h(
      "div",
      { class: "layer-head" },
      h(
        "div",
        { class: "stepper" },
        button("−", `${title}: one neuron fewer`, `less${index}`, resized(-1)),
        units,
        button("+", `${title}: one neuron more`, `more${index}`, resized(1)),
      ),
      activation,
    );
    const shown = Math.min(layer.units, SHOWN_UNITS);
    const nodes = Array.from({ length: shown }, (_, unit) =>
      this.node({ layer: index, unit, name: `layer ${index + 1}, neuron ${unit + 1}` }, ""),
    );
    const column = this.column(title, index, shown, nodes, layer.units - shown, head);
    column.querySelector("h3")?.append(button("×", `Remove layer ${index + 1}`, `remove${index}`, () => change(null)));
    return column;
  }

  private addColumn(layers: readonly HiddenLayer[]): HTMLElement {
    const last = layers[layers.length - 1];
    const full = layers.length >= LIMITS.layers[1];
    const add = () => this.changed([...layers, { units: last?.units ?? 8, activation: last?.activation ?? "tanh" }]);
    const button = h(
      "button",
      { type: "button", class: "add", "data-key": "add", disabled: full, "aria-label": "Add a layer", click: add },
      "+",
    );
    return h("div", { class: "column adds" }, button);
  }

  private column(
    title: string,
    layer: number,
    units: number,
    nodes: HTMLButtonElement[],
    more: number,
    head: HTMLElement,
    names: readonly string[] = [],
  ): HTMLElement {
    const canvases = nodes.map((node) => node.querySelector("canvas")).filter((canvas) => canvas !== null);
    this.columns.push({ layer, units, nodes, canvases });
    const rest = more > 0 ? [h("p", { class: "sub" }, `and ${more} more`)] : [];
    const labelled = nodes.map((node, unit) => {
      const name = names[unit];
      // The button says it already.
      const label = name === undefined ? [] : [h("span", { "aria-hidden": "true", title: name }, name)];
      return h("div", { class: "neuron" }, ...(layer === -1 ? [...label, node] : [node, ...label]));
    });
    const ends = names.length === 0 ? "" : layer === -1 ? " inputs" : " outputs";
    return h(
      "div",
      { class: `column${ends}` },
      h("h3", {}, title),
      head,
      h("div", { class: "nodes" }, ...labelled, ...rest),
    );
  }

  private node(picked: Picked, kind: string): HTMLButtonElement {
    const canvas = h("canvas", { width: 72, height: 72 });
    const node = h(
      "button",
      { type: "button", class: `node ${kind}`, "aria-label": `Show ${picked.name}`, "aria-pressed": "false" },
      canvas,
    );
    const drawn = (this.made?.plane ?? null) !== null && (picked.layer >= 0 || this.made?.axes.includes(picked.unit));
    node.disabled = !drawn;
    node.addEventListener("pointerenter", () => this.picked(picked));
    node.addEventListener("focus", () => this.picked(picked));
    const leave = () => {
      if (this.pinned !== node) this.picked(null);
      this.pinned?.dispatchEvent(new Event("pointerenter"));
    };
    node.addEventListener("pointerleave", leave);
    node.addEventListener("blur", leave);
    node.addEventListener("click", () => {
      this.pinned?.setAttribute("aria-pressed", "false");
      this.pinned = this.pinned === node ? null : node;
      this.pinned?.setAttribute("aria-pressed", "true");
    });
    return node;
  }

  private drawEdges(): void {
    const { look, made } = this;
    if (this.edges.clientWidth === 0 || !made) return;
    const { width, height, pen } = sharpen(this.edges);
    pen.clearRect(0, 0, width, height);
    if (!look) return;
    const origin = this.edges.getBoundingClientRect();
    const weights = Object.entries(look.weights).filter(([name]) => name.endsWith("weight"));
    const { negative, positive } = palette();
    for (let at = 0; at + 1 < this.columns.length; at++) {
      const [from, to] = [this.columns[at], this.columns[at + 1]] as [Column, Column];
      const matrix = weights[at]?.[1];
      if (!matrix) continue;
      const units = made.widths[at + 1] ?? 1;
      const scale = 1 / Math.max(largest(matrix), 1e-6);
      const ends = (nodes: HTMLButtonElement[], side: "left" | "right") =>
        nodes.map((node) => {
          const box = node.getBoundingClientRect();
          return [box[side] - origin.left, box.top + 18 - origin.top] as const;
        });
      const [starts, stops] = [ends(from.nodes, "right"), ends(to.nodes, "left")];
      starts.forEach(([x0, y0], i) => {
        stops.forEach(([x1, y1], j) => {
          const w = made.image > 0 && at === 0 ? 0.25 : (matrix[i * units + j] as number) * scale;
          pen.strokeStyle = css(w < 0 ? negative : positive, 0.12 + 0.75 * Math.abs(w));
          pen.lineWidth = 0.5 + 3 * Math.abs(w);
          const bend = (x1 - x0) * 0.45;
          pen.beginPath();
          pen.moveTo(x0, y0);
          pen.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1, y1);
          pen.stroke();
        });
      });
    }
  }
}

/** The weights that lead to one unit. */
function incoming(look: Look, layer: number, unit: number, units: number): Float32Array {
  const matrix = Object.entries(look.weights).filter(([name]) => name.endsWith("weight"))[layer]?.[1];
  return Float32Array.from({ length: (matrix?.length ?? 0) / units }, (_, i) => matrix?.[i * units + unit] ?? 0);
}

export function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i] as number));
  return most;
}

/** Signed numbers as a square picture. */
function drawImage(pen: CanvasRenderingContext2D, canvas: HTMLCanvasElement, values: Float32Array, side: number): void {
  const small = new ImageData(side, side);
  const scale = 1 / Math.max(largest(values), 1e-6);
  values.forEach((value, i) => {
    signed(value * scale, small.data, i * 4);
  });
  const buffer = new OffscreenCanvas(side, side);
  buffer.getContext("2d")?.putImageData(small, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(buffer, 0, 0, canvas.width, canvas.height);
}
