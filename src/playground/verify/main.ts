import { proxy, wrap } from "comlink";
import { byId, download, h, setText } from "../page/dom";
import type { Checked, Opened, Suite } from "./suite";

const suite = wrap<Suite>(new Worker(new URL("./worker.ts", import.meta.url), { type: "module" }));
const run = byId("run", HTMLButtonElement);
const saves = ["save-json", "save-text"].map((id) => byId(id, HTMLButtonElement));
const progress = byId("progress", HTMLProgressElement);
const body = byId("rows", HTMLTableSectionElement);
const verdict = byId("verdict", HTMLElement);

byId("table-box", HTMLElement).tabIndex = 0; // it scrolls

let opened: Opened | null = null;
let results: Checked[] = [];
let running = false;
let seconds = 0;

run.addEventListener("click", () => void (running ? suite.stop() : verify()));
byId("save-json", HTMLButtonElement).addEventListener("click", () => {
  download("wgrad-verify.json", JSON.stringify(report(), null, 1), "application/json");
});
byId("save-text", HTMLButtonElement).addEventListener("click", () => {
  download("wgrad-verify.txt", asText(), "text/plain");
});

async function verify(): Promise<void> {
  running = true;
  setText(run, "Stop");
  results = [];
  body.replaceChildren();
  verdict.className = "";
  for (const save of saves) save.disabled = true;
  const value = (id: string) => byId(id, HTMLSelectElement).value;
  try {
    opened = await suite.open(value("on") === "cpu" ? "cpu" : "webgpu", value("extent") === "whole");
    setText(byId("adapter", HTMLElement), adapterLine(opened));
    progress.max = opened.checks;
    progress.hidden = false;
    const began = performance.now();
    let shownAt = 0;
    await suite.run(
      proxy((checked: Checked) => {
        results.push(checked);
        if (performance.now() - shownAt < 100) return;
        shownAt = performance.now();
        show(opened?.checks ?? 0);
      }),
    );
    seconds = (performance.now() - began) / 1000;
    show(opened.checks);
    conclude(opened);
  } catch (error) {
    verdict.className = "bad";
    setText(verdict, error instanceof Error ? error.message : String(error));
  }
  running = false;
  setText(run, "Verify this device");
}

interface Group {
  name: string;
  checks: Checked[];
  worst: Checked;
  ok: boolean;
}

function groups(): Group[] {
  const found = new Map<string, Checked[]>();
  for (const checked of results) found.set(checked.group, [...(found.get(checked.group) ?? []), checked]);
  return [...found].map(([name, checks]) => ({
    name,
    checks,
    worst: checks.reduce((a, b) => (share(b) > share(a) ? b : a)),
    ok: checks.every(({ ok }) => ok),
  }));
}

/** The error as a part of its bound; what failed otherwise is beyond every bound. */
function share({ error, bound, ok }: Checked): number {
  if (!ok && !(error > bound)) return Infinity;
  return error === 0 ? 0 : error / bound;
}

function show(checks: number): void {
  progress.value = results.length;
  setText(verdict, `${results.length} of ${checks} checks`);
  body.replaceChildren(...groups().map(row));
}

function row({ name, checks, worst, ok }: Group): HTMLElement {
  const number = (value: number) => (value === 0 ? "0" : Number.isFinite(value) ? value.toExponential(1) : "–");
  const part = share(worst);
  const meter = h("meter", { min: 0, max: 1, value: Math.min(1, part), "aria-label": "error as a part of its bound" });
  const cells = [
    h("th", { scope: "row" }, name),
    h("td", { class: "right" }, String(checks.length)),
    h("td", { class: "right" }, number(worst.error)),
    h("td", { class: "right" }, number(worst.bound)),
    h("td", {}, meter),
    h("td", { class: ok ? "good" : "bad" }, ok ? "within" : "off"),
    h("td", { class: "sub" }, worst.failure || worst.name.replace(`${name}: `, "")),
  ];
  return h("tr", {}, ...cells);
}

function conclude(opened: Opened): void {
  for (const save of saves) save.disabled = false;
  const off = results.filter(({ ok }) => !ok).length;
  const time = `${seconds.toFixed(1)} s`;
  const whole = results.length === opened.checks;
  verdict.className = off > 0 ? "bad" : whole ? "good" : "";
  const said =
    off > 0
      ? `${off} of ${results.length} checks are off. Save the report and attach it to a bug report.`
      : `All ${results.length} checks are within their bounds${unjudged()}.`;
  setText(verdict, `${whole ? "" : "Stopped. "}${said} ${time}`);
}

/** What the bounds say nothing of. */
function unjudged(): string {
  const total = (key: "unbounded" | "undecided") => results.reduce((sum, checked) => sum + checked[key], 0);
  const notes = [
    total("unbounded") > 0 ? `${total("unbounded")} elements have none` : "",
    total("undecided") > 0 ? `${total("undecided")} decisions lie within rounding` : "",
  ].filter((note) => note !== "");
  return notes.length > 0 ? `; ${notes.join(", and ")}` : "";
}

function adapterLine({ backend, info, reason }: Opened): string {
  const names = [info.vendor, info.architecture, info.description].filter(Boolean).join(" ");
  if (backend === "webgpu") return `WebGPU on ${names}${info.isFallback ? ", a software adapter" : ""}`;
  return reason ? `On the CPU instead. ${reason}` : names;
}

function report(): unknown {
  return {
    library: "wgrad",
    ...opened?.environment,
    date: new Date().toISOString(),
    backend: opened?.backend,
    adapter: { ...opened?.info, ...opened?.environment.adapter },
    reason: opened?.reason,
    seconds: Number(seconds.toFixed(2)),
    checks: results.length,
    off: results.filter(({ ok }) => !ok).length,
    results,
  };
}

function asText(): string {
  const rows = results.map(({ name, error, bound, ok, failure }) => [
    ok ? "ok " : "OFF",
    error.toExponential(2).padStart(9),
    bound.toExponential(2).padStart(9),
    failure ? `${name}: ${failure}` : name,
  ]);
  const lines = rows.map((row) => row.join("  "));
  const { version, userAgent, browser, adapter } = opened?.environment ?? {};
  const about = [
    `version ${version}`,
    userAgent,
    ...(browser ? [JSON.stringify(browser)] : []),
    ...(adapter ? [`features: ${adapter.features.join(", ")}`, `limits: ${JSON.stringify(adapter.limits)}`] : []),
  ];
  const head = opened ? adapterLine(opened) : "";
  return [`wgrad: ${verdict.textContent}`, head, ...about, "", "       error      bound", ...lines, ""].join("\n");
}
