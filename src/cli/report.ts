import { createHash } from "node:crypto";
import uplot from "uplot/dist/uPlot.iife.min.js?raw";
import uplotStyle from "uplot/dist/uPlot.min.css?raw";
import { VERSION } from "../index";
import { type Figures, number, percent } from "./figures";
import style from "./report.css?raw";
import script from "./report-page.js?raw";
import type { Epoch, Settings } from "./settings";

export interface Report {
  name: string;
  settings: Settings;
  about: string;
  left: readonly string[];
  epochs: readonly Epoch[];
  figures: Figures | null;
  device: string;
}

/**
 * A page of its own: curves, held-back figures, confusion matrix. All is in the one file, which opens without a server; its policy lets
 * nothing run or load but the code and style that it was written with.
 */
export function report({ name, settings, about, left, epochs, figures, device }: Report): string {
  const code = `${uplot}\n${script}`;
  const css = `${uplotStyle}\n${style}`;
  const policy = `default-src 'none'; script-src '${hashOf(code)}'; style-src '${hashOf(css)}'; base-uri 'none'; form-action 'none'`;
  const column = (of: (epoch: Epoch) => number | undefined) => epochs.map((epoch) => of(epoch) ?? null);
  const data = {
    title: figures?.kind === "numbers" ? "loss: squared error, in variances of the target" : "loss",
    epochs: epochs.map(({ epoch }) => epoch + 1),
    loss: column(({ loss }) => loss),
    heldBack: column(({ validationLoss }) => validationLoss),
    accuracy: column(({ validationAccuracy }) => validationAccuracy),
  };
  const { hidden, activation, lr, batch, seed, heldBack } = settings;
  const rows: [string, string][] = [
    ["data", about],
    ["network", `dense ${hidden.join(", ") || "none"}, ${activation}`],
    [
      "training",
      `${epochs.length} epochs of batches of ${batch}, adam at ${lr}, seed ${seed}, ${percent(heldBack)} held back`,
    ],
    ["device", device],
    ["made by", `wgrad ${VERSION}`],
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(name)}: training report</title>
<style>${css}</style>
</head>
<body>
<main>
<h1>${escaped(name)}</h1>
${figures === null ? "<p>All rows were trained on; none was held back.</p>" : figuresHtml(figures)}
<section aria-labelledby="curves"><h2 id="curves">Curves</h2><div id="loss"></div><div id="accuracy"></div></section>
<section aria-labelledby="made"><h2 id="made">How it was made</h2>
<table><tbody>${rows.map(([head, text]) => `<tr><th scope="row">${head}</th><td>${escaped(text)}</td></tr>`).join("")}</tbody></table>
${left.length > 0 ? `<ul>${left.map((line) => `<li>${escaped(line)}</li>`).join("")}</ul>` : ""}</section>
</main>
<script type="application/json" id="data">${JSON.stringify(data).replaceAll("<", "\\u003c")}</script>
<script>${code}</script>
</body>
</html>
`;
}

function figuresHtml(figures: Figures): string {
  if (figures.kind === "numbers") {
    const { rows, rmse, mae, r2 } = figures;
    const cards: [string, string][] = [
      ["R²", number(r2)],
      ["root mean squared error", number(rmse)],
      ["mean absolute error", number(mae)],
      ["rows held back", String(rows)],
    ];
    return cardsHtml(cards);
  }
  const { classes, counts, precision, recall, f1, accuracy, rows } = figures;
  const head = classes.map((name) => `<th scope="col">${escaped(name)}</th>`).join("");
  const body = classes.map((name, k) => {
    const own = counts[k] as number[];
    const total = own.reduce((sum, count) => sum + count, 0);
    // A style attribute is what the policy forbids: eleven classes of shade.
    const cells = own.map((count, j) => {
      const shade = total === 0 ? 0 : Math.ceil((10 * count) / total);
      return `<td class="count ${j === k ? "hit" : "miss"} s${shade}">${count}</td>`;
    });
    const scores = [precision, recall, f1].map((each) => `<td>${(each[k] as number).toFixed(3)}</td>`);
    return `<tr><th scope="row">${escaped(name)}</th>${cells.join("")}${scores.join("")}</tr>`;
  });
  return `${cardsHtml([
    ["accuracy on rows held back", percent(accuracy)],
    ["rows held back", String(rows)],
  ])}
<section aria-labelledby="confusion"><h2 id="confusion">What was taken for what</h2><div class="scroll"><table class="confusion">
<thead><tr><th scope="col">actual \\ predicted</th>${head}<th scope="col">precision</th><th scope="col">recall</th><th scope="col">F1</th></tr></thead>
<tbody>${body.join("")}</tbody></table></div></section>`;
}

function cardsHtml(cards: readonly [string, string][]): string {
  return `<dl>${cards.map(([name, value]) => `<div><dt>${name}</dt><dd>${escaped(value)}</dd></div>`).join("")}</dl>`;
}

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] as string);
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
