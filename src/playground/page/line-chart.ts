import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { css, palette, type Rgb } from "./colors";
import { DASHES, short } from "./curves";

export interface Line {
  /** Training is a line, what is held back is dashed. */
  dashed?: boolean;
  faint?: boolean;
  color?: () => Rgb;
  width?: number;
}

/** Lines over one axis in a box, whose size they follow. */
export class LineChart {
  private plot: uPlot | null = null;
  /** Values of the axis, then of each line; null where a line has none. */
  private table: (number | null)[][];

  constructor(
    private readonly box: HTMLElement,
    private readonly lines: readonly Line[],
    private readonly options: { logarithmic?: boolean; fromZero?: boolean } = {},
  ) {
    this.table = [[], ...lines.map(() => [])];
    new ResizeObserver(() => this.resize()).observe(box);
  }

  show(table: (number | null)[][]): void {
    this.table = table;
    if (this.plot) this.plot.setData(table as uPlot.AlignedData);
    else this.remake();
  }

  /** In the colours that the page has now. */
  remake(): void {
    this.plot?.destroy();
    this.plot = null;
    const { clientWidth: width, clientHeight: height } = this.box;
    // Without data it would have no room for the numbers of its axes, and move when they come.
    if (width === 0 || this.table[0]?.length === 0) return;
    const { faint, line, ink } = palette();
    const axis = {
      font: "11px system-ui, sans-serif",
      stroke: faint,
      grid: { stroke: line, width: 1 },
      ticks: { show: false },
      values: (_: uPlot, splits: (number | null)[]) => splits.map((value) => (value === null ? "" : short(value))),
    };
    const { logarithmic, fromZero } = this.options;
    this.plot = new uPlot(
      {
        ...{ width, height, padding: [8, 18, 0, 0], legend: { show: false }, cursor: { show: false } },
        scales: {
          x: { time: false },
          y: logarithmic ? { distr: 3 } : fromZero ? { range: (_, __, most) => [0, (most || 1) * 1.05] } : {},
        },
        axes: [
          { ...axis, size: 22, gap: 4 },
          { ...axis, size: 42, gap: 4 },
        ],
        series: [
          {},
          ...this.lines.map(({ dashed, faint: pale, color, width = 1.5 }) => ({
            stroke: pale ? faint : css(color?.() ?? ink),
            ...{ width, spanGaps: true, points: { show: false } },
            ...(dashed && { dash: DASHES }),
          })),
        ],
      },
      this.table as uPlot.AlignedData,
      this.box,
    );
  }

  private resize(): void {
    if (this.plot) this.plot.setSize({ width: this.box.clientWidth, height: this.box.clientHeight });
    else this.remake();
  }
}
