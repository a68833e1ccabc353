import type { Made, Plane } from "../training/messages";
import { classColor, css, mixed, numberColor, palette, put, type Rgb, signed } from "./colors";
import { context, sharpen } from "./dom";

const MOST_POINTS = 1200;
const AXIS = 18;
/** Deviations from the mean at which a number has its full colour. */
export const NUMBERS_REACH = 2;

/** What is there to draw of a network over a plane. */
export type Pictured = Pick<
  Made,
  "plane" | "target" | "axes" | "features" | "inputs" | "widths" | "training" | "heldBack"
>;

/** One cell of colours a cell of the plane; drawn small, then stretched smoothly. */
export class CellImage {
  private readonly canvas = document.createElement("canvas");
  private readonly image: ImageData;

  constructor(private readonly cells: number) {
    this.canvas.width = cells;
    this.canvas.height = cells;
    this.image = new ImageData(cells, cells);
  }

  /** Classes mixed by their probabilities. values [cells², outputs]. */
  classes(values: Float32Array, outputs: number): this {
    if (outputs === 1) return this.twoClasses(values);
    const { surface } = palette();
    const { data } = this.image;
    const count = this.cells * this.cells;
    const colors = Array.from({ length: Math.max(2, outputs) }, (_, k) => classColor(k));
    for (let cell = 0; cell < count; cell++) {
      const shares = sharesOf(values, cell, outputs);
      for (let c = 0; c < 3; c++) {
        let mixed = 0;
        shares.forEach((share, k) => {
          mixed += share * ((colors[k] as (typeof colors)[number])[c] as number);
        });
        data[cell * 4 + c] = mixed * 0.62 + (surface[c] as number) * 0.38;
      }
      data[cell * 4 + 3] = 255;
    }
    return this.done();
  }

  /** By the probability of class 1: as `classes`, in the time that dozens of small pictures have. */
  private twoClasses(values: Float32Array): this {
    const { surface } = palette();
    const [none, all] = [mixed(surface, classColor(0), 0.62), mixed(surface, classColor(1), 0.62)];
    values.forEach((value, cell) => {
      put(mixed(none, all, value), this.image.data, cell * 4);
    });
    return this.done();
  }

  /** Numbers with mean 0 and deviation 1, on the scale that their points have. values [cells²]. */
  numbers(values: Float32Array): this {
    values.forEach((value, cell) => {
      put(mixed(numberColor(value / NUMBERS_REACH), palette().surface, 0.3), this.image.data, cell * 4);
    });
    return this.done();
  }

  /** One unit's activations, from the negative colour to the positive one. */
  unit(values: Float32Array, unit: number, units: number): this {
    const count = this.cells * this.cells;
    let largest = 1e-6;
    for (let cell = 0; cell < count; cell++)
      largest = Math.max(largest, Math.abs(values[cell * units + unit] as number));
    const scale = 1 / Math.max(largest, 0.3);
    for (let cell = 0; cell < count; cell++) {
      signed((values[cell * units + unit] as number) * scale * 0.9, this.image.data, cell * 4);
    }
    return this.done();
  }

  /** What one output says of its class: from the surface at 0 to the colour of the class at 1. */
  share(values: Float32Array, unit: number, units: number, color: Rgb): this {
    const { surface } = palette();
    for (let cell = 0; cell < this.cells * this.cells; cell++) {
      put(mixed(surface, color, values[cell * units + unit] as number), this.image.data, cell * 4);
    }
    return this.done();
  }

  /** One neuron of a layer over the plane, in the colours of what it is: an output, or one between. */
  neuron(made: Pictured, values: Float32Array, layer: number, unit: number): this {
    const units = values.length / this.cells ** 2;
    if (layer !== made.widths.length - 2) return this.unit(values, unit, units);
    if (made.target) return this.numbers(values);
    return this.share(values, unit, units, classColor(units === 1 ? 1 : unit));
  }

  /** One coordinate of the plane itself: what an input neuron gives. */
  ramp(axis: 0 | 1): this {
    const { cells } = this;
    for (let cell = 0; cell < cells * cells; cell++) {
      const share = axis === 0 ? (cell % cells) / (cells - 1) : 1 - Math.floor(cell / cells) / (cells - 1);
      signed((share - 0.5) * 1.6, this.image.data, cell * 4);
    }
    return this.done();
  }

  drawTo(pen: CanvasRenderingContext2D, x: number, y: number, width: number, height: number): void {
    pen.imageSmoothingEnabled = true;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(this.canvas, x, y, width, height);
  }

  private done(): this {
    context(this.canvas).putImageData(this.image, 0, 0);
    return this;
  }
}

/** Shares that sum to 1, also of outputs that are no probabilities. */
function sharesOf(values: Float32Array, cell: number, outputs: number): number[] {
  if (outputs === 1) {
    const p = Math.min(1, Math.max(0, values[cell] as number));
    return [1 - p, p];
  }
  const shares = Array.from({ length: outputs }, (_, k) => Math.max(0, values[cell * outputs + k] as number));
  const sum = shares.reduce((total, share) => total + share, 0) || 1;
  return shares.map((share) => share / sum);
}

/**
 * How far the cell is on the side of one class: the logarithm of its share less that of the largest other. The border is
 * at 0, and the logarithm is near to straight across it where the shares themselves jump.
 */
function margins(values: Float32Array, outputs: number, cells: number, k: number): Float32Array {
  return Float32Array.from({ length: cells * cells }, (_, cell) => {
    const shares = sharesOf(values, cell, outputs);
    const others = Math.max(...shares.filter((_, other) => other !== k));
    return Math.log(Math.max(shares[k] as number, 1e-9)) - Math.log(Math.max(others, 1e-9));
  });
}

/** The plane with what the network says of it, and the points it learns from. */
export class PlaneView {
  private image: CellImage | null = null;
  private made: Pictured | null = null;
  private layers: Float32Array[] = [];
  private picked: { layer: number; unit: number } | null = null;

  constructor(private readonly canvas: HTMLCanvasElement) {
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  begin(made: Pictured): void {
    this.made = made;
    this.image = made.plane ? new CellImage(made.plane.cells) : null;
    this.layers = [];
    this.draw();
  }

  show(layers: Float32Array[]): void {
    this.layers = layers;
    this.draw();
  }

  /** One neuron's activations in place of the decision; null goes back. Layer -1 are the inputs. */
  pick(picked: { layer: number; unit: number } | null): void {
    this.picked = picked;
    this.draw();
  }

  draw(): void {
    const { made, image } = this;
    if (!made?.plane || !image || this.canvas.clientWidth === 0) return;
    const { width, height, pen } = sharpen(this.canvas);
    const [left, w, h] = [AXIS, width - AXIS, height - AXIS];
    pen.clearRect(0, 0, width, height);
    const last = this.layers.length - 1;
    const { layer, unit } = this.picked ?? { layer: last, unit: -1 };
    const values = this.layers[layer];
    const units = values ? values.length / made.plane.cells ** 2 : 1;
    const shown = (layer: number) => (layer === -1 ? image.ramp(made.axes.indexOf(unit) === 1 ? 1 : 0) : null);
    if (layer === -1 && this.picked) shown(layer)?.drawTo(pen, left, 0, w, h);
    else if (values && unit >= 0 && unit < units) image.neuron(made, values, layer, unit).drawTo(pen, left, 0, w, h);
    else if (values && layer === last && made.target) image.numbers(values).drawTo(pen, left, 0, w, h);
    else if (values && layer === last) {
      image.classes(values, units).drawTo(pen, left, 0, w, h);
      this.borders(pen, made.plane, values, units, { left, w, h });
    }
    this.points(pen, made, made.plane, { left, w, h });
    this.axes(pen, made, made.plane, { left, w, h });
  }

  private borders(
    pen: CanvasRenderingContext2D,
    { cells }: Plane,
    values: Float32Array,
    outputs: number,
    { left, w, h }: Box,
  ): void {
    pen.strokeStyle = css(palette().ink);
    pen.globalAlpha = 0.55;
    pen.lineWidth = 1.25;
    pen.beginPath();
    const classes = outputs === 1 ? 2 : outputs;
    for (let k = classes === 2 ? 1 : 0; k < classes; k++) {
      const margin = margins(values, outputs, cells, k);
      eachSegment(margin, cells, (x0, y0, x1, y1) => {
        pen.moveTo(left + ((x0 + 0.5) / cells) * w, ((y0 + 0.5) / cells) * h);
        pen.lineTo(left + ((x1 + 0.5) / cells) * w, ((y1 + 0.5) / cells) * h);
      });
    }
    pen.stroke();
    pen.globalAlpha = 1;
  }

  private points(pen: CanvasRenderingContext2D, made: Pictured, { x, y }: Plane, { left, w, h }: Box): void {
    const { axes, inputs, target } = made;
    const colour = (y: number): Rgb => (target ? numberColor(y / NUMBERS_REACH) : classColor(y));
    const surface = css(palette().surface);
    const radius = Math.max(2.1, Math.min(3.4, w / 110));
    for (const [rows, held] of [
      [made.training, false],
      [made.heldBack, true],
    ] as const) {
      for (let row = 0; row < Math.min(rows.y.length, MOST_POINTS); row++) {
        const px = left + (((rows.x[row * inputs + axes[0]] as number) - x[0]) / (x[1] - x[0])) * w;
        const py = ((y[1] - (rows.x[row * inputs + axes[1]] as number)) / (y[1] - y[0])) * h;
        pen.beginPath();
        pen.arc(px, py, radius, 0, 2 * Math.PI);
        const own = css(colour(rows.y[row] as number));
        // The colour of a number near the mean is that of the ground: its rim is what is seen.
        if (target) pen.fillStyle = own;
        else pen.fillStyle = held ? surface : own;
        if (target) pen.strokeStyle = held ? css(palette().ink) : palette().faint;
        else pen.strokeStyle = held ? own : surface;
        pen.lineWidth = held ? 1.5 : 0.8;
        pen.fill();
        pen.stroke();
      }
    }
  }

  private axes(pen: CanvasRenderingContext2D, made: Pictured, plane: Plane, { left, w, h }: Box): void {
    const [name, other] = made.axes.map((axis) => made.features[axis] ?? "");
    pen.fillStyle = palette().faint;
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "alphabetic";
    const bottom = h + 13;
    pen.textAlign = "left";
    pen.fillText(plane.xLabels[0], left, bottom);
    pen.textAlign = "center";
    pen.fillText(name ?? "", left + w / 2, bottom);
    pen.textAlign = "right";
    pen.fillText(plane.xLabels[1], left + w, bottom);
    pen.save();
    pen.translate(11, h);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = "left";
    pen.fillText(plane.yLabels[0], 0, 0);
    pen.textAlign = "center";
    pen.fillText(other ?? "", h / 2, 0);
    pen.textAlign = "right";
    pen.fillText(plane.yLabels[1], h, 0);
    pen.restore();
  }
}

interface Box {
  left: number;
  w: number;
  h: number;
}

/** Marching squares at the level 0, between the centres of cells. */
function eachSegment(
  values: Float32Array,
  cells: number,
  draw: (x0: number, y0: number, x1: number, y1: number) => void,
): void {
  for (let row = 0; row + 1 < cells; row++) {
    for (let column = 0; column + 1 < cells; column++) {
      const at = row * cells + column;
      const [a, b, c, d] = [values[at], values[at + 1], values[at + cells + 1], values[at + cells]] as [
        number,
        number,
        number,
        number,
      ];
      const cuts: [number, number][] = [];
      if (a > 0 !== b > 0) cuts.push([column + a / (a - b), row]);
      if (b > 0 !== c > 0) cuts.push([column + 1, row + b / (b - c)]);
      if (d > 0 !== c > 0) cuts.push([column + d / (d - c), row + 1]);
      if (a > 0 !== d > 0) cuts.push([column, row + a / (a - d)]);
      for (let i = 0; i + 1 < cuts.length; i += 2) {
        const [from, to] = [cuts[i], cuts[i + 1]] as [[number, number], [number, number]];
        draw(from[0], from[1], to[0], to[1]);
      }
    }
  }
}
