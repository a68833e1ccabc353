import * as Plot from "@observablehq/plot";
import { time } from "../report/format";
import { headOf } from "../report/table";
import type { MeasuredScaling, Results } from "../results";
import type { Spread } from "../statistics";

declare global {
  /** Draws a run into the page's <main>. */
  var draw: ((results: Results) => void) | undefined;
}

const [blue, orange, grey, ink] = ["#2563eb", "#ea7317", "#6b7280", "#1b1f24"];
const colors = [blue, orange, "#93b7fa", "#7c3aed"];
const font = { fontFamily: "'Liberation Sans', system-ui, sans-serif", fontSize: "12px", color: ink };

interface Mark extends Spread {
  contender: string;
}

globalThis.draw = (results) => {
  const main = document.querySelector("main") as HTMLElement;
  Object.assign(document.body.style, { margin: "0", background: "white" });
  Object.assign(main.style, { width: "1320px", padding: "20px", ...font });
  const head = document.createElement("p");
  head.textContent = headOf(results).join(" · ");
  const grid = document.createElement("div");
  Object.assign(grid.style, { display: "grid", gridTemplateColumns: "repeat(3, 1fr)", gap: "24px 16px" });
  for (const { id, title, step, cells } of results.workloads) {
    const marks = cells.flatMap((cell) =>
      cell.status === "measured" ? [{ contender: cell.contender, ...cell.ms }] : [],
    );
    if (marks.length > 0) grid.append(figure(`${id}: time of one ${step}`, title, times(marks)));
  }
  const loading = results.loading.filter(({ why }) => !why).map(({ contender, ms }) => ({ contender, ...ms }));
  if (loading.length > 0)
    grid.append(figure("W5: from navigation to the first step", "seed-000, nothing cached", times(loading)));
  for (const scaling of results.scaling)
    grid.append(figure(`W6: over ${scaling.over}`, scaling.title, curves(scaling)));
  main.replaceChildren(head, grid);
};

function figure(title: string, subtitle: string, drawing: Element): HTMLElement {
  const element = document.createElement("figure");
  element.style.margin = "0";
  const caption = document.createElement("figcaption");
  const strong = document.createElement("strong");
  strong.textContent = title;
  const small = document.createElement("div");
  small.textContent = subtitle;
  Object.assign(small.style, { color: grey, fontSize: "11px", minHeight: "2.4em" });
  caption.append(strong, small);
  element.append(caption, drawing);
  return element;
}

/** Marks between powers of ten have a line and no words. */
function powerOfTen(ms: number): string {
  return Math.abs(Math.log10(ms) - Math.round(Math.log10(ms))) < 1e-9 ? time(ms) : "";
}

/** Medians as points, quartiles as lines, on a logarithmic axis; ours in blue. */
function times(marks: readonly Mark[]): Element {
  const color = ({ contender }: Mark) => (contender.startsWith("wgrad") ? blue : grey);
  const highest = Math.max(...marks.map(({ high }) => high));
  const lowest = Math.min(...marks.map(({ low }) => low));
  return Plot.plot({
    width: 424,
    height: 40 + 22 * marks.length,
    marginLeft: 128,
    marginRight: 12,
    style: font,
    x: {
      type: "log",
      domain: [lowest * 0.8, highest * (highest / lowest) ** 0.3 * 1.5],
      grid: true,
      ticks: 5,
      tickFormat: powerOfTen,
      label: null,
    },
    y: { domain: marks.map(({ contender }) => contender), label: null, tickSize: 0 },
    marks: [
      Plot.ruleY(marks, { y: "contender", x1: "low", x2: "high", stroke: color, strokeWidth: 3, strokeOpacity: 0.4 }),
      Plot.dot(marks, { y: "contender", x: "median", fill: color, r: 4 }),
      Plot.text(marks, {
        y: "contender",
        x: "high",
        text: ({ median }: Mark) => time(median),
        textAnchor: "start",
        dx: 8,
        fill: ink,
      }),
    ],
  });
}

function curves({ over, points }: MeasuredScaling): Element {
  const known = points.flatMap(({ ms, ...point }) => (ms ? [{ ...point, ...ms }] : []));
  return Plot.plot({
    width: 424,
    height: 260,
    marginLeft: 56,
    style: font,
    x: { type: "log", base: 2, grid: true, label: over, tickFormat: String, ticks: 7 },
    y: {
      type: "log",
      grid: true,
      label: "one step",
      tickFormat: powerOfTen,
    },
    color: { domain: ["wgrad webgpu", "wgrad cpu", "wgrad recorded", "wgrad persistent"], range: colors, legend: true },
    marks: [
      Plot.ruleX(known, { x: "at", y1: "low", y2: "high", stroke: "contender", strokeOpacity: 0.4 }),
      Plot.line(known, { x: "at", y: "median", stroke: "contender", z: "contender" }),
      Plot.dot(known, { x: "at", y: "median", fill: "contender", r: 3 }),
    ],
  });
}
