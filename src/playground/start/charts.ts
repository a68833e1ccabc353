import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Digits } from "../data/digits";

const blue = "#2563eb";
const orange = "#ea7317";
const ink = "#1b1f24";
const faint = "#e5e7eb";
const ticks = { stroke: faint, width: 1, size: 5 };
const font = "12px 'Liberation Sans', system-ui, sans-serif";

export interface Series {
  label: string;
  /** One value a step. */
  values: Float32Array;
  logarithmic: boolean;
}

function figure(title: string, ...children: Node[]): HTMLElement {
  const element = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = title;
  element.append(caption, ...children);
  return element;
}

/** One or two curves over the steps; the second has its axis on the right. */
export function curve(title: string, series: readonly Series[]): HTMLElement {
  const target = document.createElement("div");
  const steps = Array.from(series[0]?.values ?? [], (_, step) => step);
  const colors = [blue, orange];
  // A logarithmic scale has no place for 0.
  const drawn = series.map(({ values, logarithmic }) => Array.from(values, (v) => (logarithmic && v <= 0 ? null : v)));
  new uPlot(
    {
      width: 720,
      height: 400,
      padding: [16, 16, 0, 0],
      cursor: { show: false },
      legend: { show: false },
      scales: {
        x: { time: false },
        ...Object.fromEntries(series.map(({ label, logarithmic }) => [label, { distr: logarithmic ? 3 : 1 }])),
      },
      axes: [
        {
          label: "step",
          labelSize: 20,
          size: 32,
          font,
          labelFont: font,
          stroke: ink,
          grid: { stroke: faint, width: 1 },
          ticks,
        },
        ...series.map(({ label, logarithmic }, index) => ({
          scale: label,
          label: logarithmic ? `${label}, logarithmic` : label,
          side: index === 0 ? 3 : 1,
          size: 56,
          labelSize: 20,
          font,
          labelFont: font,
          stroke: colors[index] ?? ink,
          grid: { show: index === 0, stroke: faint, width: 1 },
          ticks,
          ...(logarithmic && {
            splits: (_: uPlot, __: number, min: number, max: number) => powersBetween(min, max),
            filter: (_: uPlot, splits: number[]) => splits, // uPlot's own leaves some unlabelled
          }),
          values: (_: uPlot, splits: number[]) => splits.map(inFewDigits),
        })),
      ],
      series: [
        {},
        ...series.map(({ label }, index) => ({ label, scale: label, stroke: colors[index] ?? ink, width: 1.5 })),
      ],
    },
    [steps, ...drawn],
    target,
  );
  return figure(title, target);
}

/** Marks of a logarithmic axis: powers of ten, every second one where they are many, with 2 and 5 between where few. */
function powersBetween(min: number, max: number): number[] {
  const from = Math.ceil(Math.log10(min) - 1);
  const to = Math.floor(Math.log10(max) + 1e-9);
  const stride = to - from > 8 ? 2 : 1;
  const between = to - from > 3 ? [1] : [1, 2, 5];
  const marks: number[] = [];
  for (let power = Math.ceil(from / stride) * stride; power <= to; power += stride) {
    marks.push(...between.map((digit) => digit * 10 ** power));
  }
  return marks.filter((mark) => mark >= min * 0.999 && mark <= max * 1.001);
}

function inFewDigits(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e4)) return String(Number(value.toPrecision(3)));
  return value.toExponential(0).replace("e+", "e");
}

function canvas(width: number, height: number): { element: HTMLCanvasElement; pen: CanvasRenderingContext2D } {
  const element = document.createElement("canvas");
  const density = window.devicePixelRatio;
  element.width = width * density;
  element.height = height * density;
  element.style.width = `${width}px`;
  element.style.height = `${height}px`;
  const pen = element.getContext("2d");
  if (!pen) throw new Error("This browser gives no 2d canvas to draw on.");
  pen.scale(density, density);
  return { element, pen };
}

/** A part of the plane, and the cells that it is drawn in. */
export interface Plane {
  x: readonly [number, number];
  y: readonly [number, number];
  columns: number;
  rows: number;
}

/** The plane coloured by the probability of class 1, the line where it is a half, and the points trained on. */
export function boundary(
  title: string,
  points: { x: Float32Array; y: Int32Array },
  plane: Plane,
  probability: Float32Array,
): HTMLElement {
  const cell = 4;
  const width = plane.columns * cell;
  const height = plane.rows * cell;
  const { element, pen } = canvas(width, height);
  for (let row = 0; row < plane.rows; row++) {
    for (let column = 0; column < plane.columns; column++) {
      pen.fillStyle = between(probability[row * plane.columns + column] as number);
      pen.fillRect(column * cell, row * cell, cell, cell);
    }
  }
  drawHalf(pen, plane, probability, cell);
  const toX = (x: number) => ((x - plane.x[0]) / (plane.x[1] - plane.x[0])) * width;
  const toY = (y: number) => ((plane.y[1] - y) / (plane.y[1] - plane.y[0])) * height;
  for (const [row, label] of points.y.entries()) {
    pen.beginPath();
    pen.arc(toX(points.x[2 * row] as number), toY(points.x[2 * row + 1] as number), 4, 0, 2 * Math.PI);
    pen.fillStyle = label === 0 ? blue : orange;
    pen.fill();
    pen.strokeStyle = "white";
    pen.lineWidth = 1;
    pen.stroke();
  }
  return figure(title, element);
}

/** White at a half, towards blue at 0 and orange at 1. */
function between(probability: number): string {
  const away = Math.abs(probability - 0.5) * 2;
  const end = probability < 0.5 ? [147, 183, 250] : [250, 190, 130];
  return `rgb(${end.map((channel) => Math.round(250 + (channel - 250) * away)).join(" ")})`;
}

/** The line where the probability crosses a half: between each two neighbouring cells, where linear interpolation puts it. */
function drawHalf(pen: CanvasRenderingContext2D, plane: Plane, probability: Float32Array, cell: number): void {
  const at = (row: number, column: number) => (probability[row * plane.columns + column] as number) - 0.5;
  pen.strokeStyle = ink;
  pen.lineWidth = 1.5;
  pen.beginPath();
  for (let row = 0; row + 1 < plane.rows; row++) {
    for (let column = 0; column + 1 < plane.columns; column++) {
      const corners = [
        [row, column],
        [row, column + 1],
        [row + 1, column + 1],
        [row + 1, column],
      ] as const;
      const crossings: [number, number][] = [];
      for (const [index, [fromRow, fromColumn]] of corners.entries()) {
        const [toRow, toColumn] = corners[(index + 1) % 4] as (typeof corners)[number];
        const from = at(fromRow, fromColumn);
        const to = at(toRow, toColumn);
        if (from >= 0 === to >= 0) continue;
        const part = from / (from - to);
        crossings.push([
          (fromColumn + part * (toColumn - fromColumn) + 0.5) * cell,
          (fromRow + part * (toRow - fromRow) + 0.5) * cell,
        ]);
      }
      for (let pair = 0; pair + 1 < crossings.length; pair += 2) {
        pen.moveTo(...(crossings[pair] as [number, number]));
        pen.lineTo(...(crossings[pair + 1] as [number, number]));
      }
    }
  }
  pen.stroke();
}

/** Every digit with what was read beneath it; a wrong one in a red frame, with what was meant. */
export function digitSheet(title: string, { x, y }: Digits, predicted: Float32Array): HTMLElement {
  const columns = 24;
  const pixel = 4;
  const across = 8 * pixel + 8;
  const down = 8 * pixel + 22;
  const { element, pen } = canvas(columns * across, Math.ceil(y.length / columns) * down);
  pen.font = font;
  pen.textAlign = "center";
  for (const [row, digit] of y.entries()) {
    const left = (row % columns) * across + 4;
    const top = Math.floor(row / columns) * down + 4;
    for (let at = 0; at < 64; at++) {
      const shade = Math.round(255 * (1 - (x[row * 64 + at] as number)));
      pen.fillStyle = `rgb(${shade} ${shade} ${shade})`;
      pen.fillRect(left + (at % 8) * pixel, top + Math.floor(at / 8) * pixel, pixel, pixel);
    }
    const right = predicted[row] === digit;
    pen.fillStyle = right ? "#6b7280" : "#dc2626";
    pen.fillText(right ? String(digit) : `${predicted[row]}, not ${digit}`, left + 4 * pixel, top + 8 * pixel + 12);
    if (right) continue;
    pen.strokeStyle = "#dc2626";
    pen.lineWidth = 2;
    pen.strokeRect(left - 2, top - 2, 8 * pixel + 4, 8 * pixel + 4);
  }
  return figure(title, element);
}
