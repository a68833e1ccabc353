import type { Look, Made } from "../training/messages";
import { signed } from "./colors";
import { short } from "./curves";
import { context, h } from "./dom";
import { largest } from "./network-view";

/** Every weight matrix as a heat map, the biases as its last row; the value under the pointer is named. */
export class WeightsView {
  private maps: { canvas: HTMLCanvasElement; weight: string; bias: string; rows: number; columns: number }[] = [];
  private look: Look | null = null;

  constructor(private readonly box: HTMLElement) {}

  begin(made: Made): void {
    this.look = null;
    this.maps = [];
    this.made = made;
    this.box.replaceChildren();
  }
  private made: Made | null = null;

  show(look: Look): void {
    this.look = look;
    if (this.box.closest("details")?.open === false) return;
    if (this.maps.length === 0 && this.made) this.build(look, this.made);
    for (const { canvas, weight, bias, rows, columns } of this.maps) {
      const values = [...(look.weights[weight] ?? []), ...(look.weights[bias] ?? [])];
      const scale = 1 / Math.max(largest(values), 1e-6);
      const image = new ImageData(columns, rows);
      values.forEach((value, i) => {
        signed(value * scale, image.data, i * 4);
      });
      context(canvas).putImageData(image, 0, 0);
    }
  }

  private build(look: Look, { widths }: Made): void {
    const names = Object.keys(look.weights).filter((name) => name.endsWith("weight"));
    this.maps = names.map((weight, layer) => {
      const [rows, columns] = [(widths[layer] ?? 1) + 1, widths[layer + 1] ?? 1];
      const bias = weight.replace("weight", "bias");
      const canvas = h("canvas", { width: columns, height: rows, role: "img", class: "heat" });
      const scale = Math.max(3, Math.min(18, Math.floor(240 / Math.max(rows, columns))));
      canvas.style.width = `${columns * scale}px`;
      canvas.style.height = `${rows * scale}px`;
      canvas.setAttribute("aria-label", `Weights of layer ${layer + 1}, ${rows - 1} by ${columns}, and its biases`);
      const said = h("span", { class: "sub num" }, "\u00a0");
      canvas.addEventListener("pointermove", (event) => {
        const row = Math.min(rows - 1, Math.floor(event.offsetY / scale));
        const column = Math.min(columns - 1, Math.floor(event.offsetX / scale));
        const isBias = row === rows - 1;
        const value = isBias
          ? this.look?.weights[bias]?.[column]
          : this.look?.weights[weight]?.[row * columns + column];
        const from = isBias ? "bias" : `${row + 1} →`;
        said.textContent = value === undefined ? "" : `${from} ${column + 1}: ${short(value)}`;
      });
      const title = layer === names.length - 1 ? "Output" : `Layer ${layer + 1}`;
      const caption = h("figcaption", {}, h("b", {}, title), ` ${rows - 1} × ${columns}, bias below `, said);
      this.box.append(h("figure", {}, canvas, caption));
      return { canvas, weight, bias, rows, columns };
    });
  }
}
