import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { css, palette } from "./colors";

/** One column an entry of the table: step, loss of the batches, loss and share right held back, that in training where it is known. */
export type Curves = [number[], number[], number[], number[], (number | null)[]];

const MOST_ROWS = 1200;

/** The line of what was held back, or of the second of two; that of the training, or the first, is whole. */
export const DASHES = [5, 4];

/** Loss and accuracy over the steps, growing as training goes on; thinned when long. */
export class CurvesView {
  table: Curves = [[], [], [], [], []];
  logarithmic = true;
  private loss: uPlot | null = null;
  private accuracy: uPlot | null = null;

  constructor(
    private readonly lossBox: HTMLElement,
    private readonly accuracyBox: HTMLElement,
  ) {
    new ResizeObserver(() => this.resize()).observe(lossBox);
    new ResizeObserver(() => this.resize()).observe(accuracyBox);
  }

  clear(table: Curves = [[], [], [], [], []]): void {
    this.table = table;
    this.remake();
  }

  /** Is seen with the next `draw`. */
  add(row: [number, number, number, number, number | null]): void {
    const steps = this.table[0];
    if (steps.length > 0 && row[0] <= (steps[steps.length - 1] as number)) return;
    row.forEach((value, column) => {
      this.table[column as 4].push(value);
    });
    if (steps.length > MOST_ROWS)
      this.table = this.table.map((column) => column.filter((_, i) => i % 2 === 0)) as Curves;
  }

  draw(): void {
    if (!this.loss || !this.accuracy) {
      this.remake();
      return;
    }
    const [steps, batch, held, heldAccuracy, accuracy] = this.table;
    const positive = (values: number[]) => (this.logarithmic ? values.map((v) => (v > 0 ? v : null)) : values);
    this.loss.setData([steps, positive(batch), positive(held)]);
    this.accuracy.setData([steps, accuracy.map(percent), heldAccuracy.map(percent)]);
  }

  remake(): void {
    this.loss?.destroy();
    this.accuracy?.destroy();
    const { width } = size(this.lossBox);
    if (width === 0) return;
    this.loss = new uPlot(
      { ...this.options(this.lossBox), scales: { x: { time: false }, y: this.logarithmic ? { distr: 3 } : {} } },
      [[], [], []],
      this.lossBox,
    );
    this.accuracy = new uPlot(
      {
        ...this.options(this.accuracyBox),
        scales: {
          x: { time: false },
          // R² has no least value; below 0 it says that a mean would do better.
          y: { range: (_, least) => [Math.max(0, Math.min(50, Math.floor((least ?? 50) / 10) * 10)), 101] },
        },
      },
      [[], [], []],
      this.accuracyBox,
    );
    this.draw();
  }

  private options(box: HTMLElement): Omit<uPlot.Options, "scales"> {
    const { ink, faint, line } = palette();
    const font = "11px system-ui, sans-serif";
    const axis = { font, stroke: faint, grid: { stroke: line, width: 1 }, ticks: { show: false } };
    const few = (_: uPlot, splits: (number | null)[]) => splits.map((v) => (v === null ? "" : short(v)));
    return {
      ...size(box),
      padding: [8, 18, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      axes: [
        { ...axis, size: 22, gap: 4, values: few },
        { ...axis, size: 42, gap: 4, values: few },
      ],
      series: [
        {},
        { stroke: css(ink), width: 1.5, spanGaps: true, points: { show: false } },
        { stroke: css(ink), width: 1.5, dash: DASHES, spanGaps: true, points: { show: false } },
      ],
    };
  }

  private resize(): void {
    if (!this.loss || !this.accuracy) {
      this.remake();
      return;
    }
    this.loss.setSize(size(this.lossBox));
    this.accuracy.setSize(size(this.accuracyBox));
  }
}

function size(box: HTMLElement): { width: number; height: number } {
  return { width: box.clientWidth, height: box.clientHeight };
}

function percent(share: number | null): number | null {
  return share === null ? null : share * 100;
}

export function short(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude >= 10_000) return `${Number((value / 1000).toPrecision(3))}k`;
  if (magnitude !== 0 && magnitude < 1e-3) return value.toExponential(0).replace("e-", "e−");
  return String(Number(value.toPrecision(3)));
}
