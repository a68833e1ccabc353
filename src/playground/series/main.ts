import { proxy, wrap } from "comlink";
import type { Config } from "../config";
import { classColor, onRepaint } from "../page/colors";
import { short } from "../page/curves";
import { Desk } from "../page/desk";
import { byId, h, onceAFrame, setText } from "../page/dom";
import { LineChart } from "../page/line-chart";
import { BurgersCard } from "./burgers-card";
import type { SeriesEngine, SeriesSource } from "./engine";
import type { Message, SeriesLook, SeriesMade } from "./messages";
import type { ForecastOptions } from "./series";

const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
const engine = wrap<SeriesEngine>(worker);
const text = (id: string) => byId(id, HTMLElement);
const button = (id: string) => byId(id, HTMLButtonElement);
const input = (id: string) => byId(id, HTMLInputElement);
const FIELDS = ["seen", "ahead", "units", "epochs"] as const;

/** A larger file is no table for a page. */
const MOST_BYTES = 30_000_000;
/** Values of the stretch that is held back which are drawn at once. */
const SHOWN = 250;
/** Values of a whole series that are drawn. */
const DRAWN = 2000;

let options: ForecastOptions = { seen: 40, ahead: 6, units: 32, epochs: 10 };
let backend: Config["backend"] = "auto";
let source: SeriesSource | null = null;
/** The file that columns are chosen from. */
let file: { name: string; text: string } | null = null;
let made: SeriesMade | null = null;
let look: SeriesLook | null = null;
const paint = onceAFrame(() => {
  if (look) showLook(look);
});
/** Epochs, the error in training, held back, and that of the naive forecast. */
let errors: [number[], (number | null)[], number[], number[]] = [[], [], [], []];

const forecast = new LineChart(text("forecast"), [
  { faint: true, dashed: true, width: 1 },
  { width: 1.5 },
  { color: () => classColor(1), width: 2 },
]);
const curves = new LineChart(text("errors"), [{}, { dashed: true }, { faint: true }], { fromZero: true });
const whole = new LineChart(text("whole"), [{ faint: true, width: 1 }, { width: 1 }]);
const burgers = new BurgersCard();
const desk = new Desk(engine, (chosen) => void make(source, options, chosen));

// What a person does ------------------------------------------------------------------------------------------------

for (const name of FIELDS) {
  input(name).addEventListener("change", () => {
    const { valueAsNumber, min, max } = input(name);
    const value = Math.round(Math.min(Number(max), Math.max(Number(min), valueAsNumber)));
    if (Number.isFinite(value)) void make(source, { ...options, [name]: value }, backend);
    else showOptions();
  });
}
button("reset").addEventListener("click", () => void make(source, options, backend, false));
button("open-table").addEventListener("click", () => input("table-file").click());
input("table-file").addEventListener("change", () => {
  const [chosen] = input("table-file").files ?? [];
  input("table-file").value = "";
  if (chosen) void openTable(chosen);
});
button("own").addEventListener("click", () => {
  text("column-field").hidden = true;
  void make(null, options, backend);
});
const column = byId("column", HTMLSelectElement);
column.addEventListener("change", () => void desk.tried(() => take(column.value)));
input("from").addEventListener("input", drawForecast);
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const dropped = event.dataTransfer?.files[0];
  if (dropped) void openTable(dropped);
});

/** A table whose columns of numbers are offered, the first of them taken. What is refused leaves everything as it was. */
async function openTable(chosen: File): Promise<void> {
  await desk.tried(async () => {
    if (chosen.size > MOST_BYTES)
      throw new RangeError(`${chosen.name} has ${Math.round(chosen.size / 1e6)} MB; at most 30 are read.`);
    const content = await chosen.text();
    const columns = await engine.columns(content);
    const [first] = columns;
    if (first === undefined) throw new RangeError(`${chosen.name} has no column of numbers.`);
    file = { name: chosen.name, text: content };
    column.replaceChildren(...columns.map((name) => h("option", { value: name }, name)));
    text("column-field").hidden = false;
    await take(first);
  });
}

async function take(name: string): Promise<void> {
  if (!file) return;
  const taken = await engine.column(file.text, name);
  await make({ ...taken, name: `${name} of ${file.name}` }, options, backend);
}

async function make(
  from: SeriesSource | null,
  by: ForecastOptions,
  on: Config["backend"],
  train = true,
): Promise<void> {
  const before = { source, options };
  [source, options, backend] = [from, by, on];
  await desk.tried(async () => {
    try {
      await engine.make(from, by, on, train);
    } catch (error) {
      if (source === from) source = before.source;
      if (options === by) options = before.options;
      throw error;
    }
  });
  button("own").hidden = source === null;
  showOptions();
}

function showOptions(): void {
  for (const name of FIELDS) input(name).value = String(options[name]);
}

// What the engine tells ---------------------------------------------------------------------------------------------

function hear(message: Message): void {
  if (message.kind === "made") showMade(message.made);
  else if (message.kind === "look") {
    look = message.look;
    record(look);
    paint();
  } else desk.hear(message);
}

function showMade(now: SeriesMade): void {
  made = now;
  look = null;
  errors = [[], [], [], []];
  desk.device(now.device);
  for (const figure of document.querySelectorAll<HTMLElement>(".figures dd")) setText(figure, "–");
  setText(text("figure-naive"), number(now.naiveError));
  const left = now.leftOut > 0 ? `; ${count(now.leftOut)} rows without a value are left out` : "";
  setText(text("series-said"), `${now.name}: ${count(now.values.length)} values${left}.`);
  setText(text("whole-said"), `learns from ${count(now.learnsFrom)} forecasts, ${count(now.parameters)} parameters`);
  const from = input("from");
  from.max = String(Math.max(0, now.truth.length - SHOWN));
  from.value = "0";
  for (const id of ["train", "reset"]) button(id).disabled = false;
  drawWhole();
  drawForecast();
}

function record({ epoch, trainingError, error }: SeriesLook): void {
  errors[0].push(epoch);
  errors[1].push(trainingError);
  errors[2].push(error);
  errors[3].push(made?.naiveError ?? 0);
}

function showLook({ epoch, error, forecastsPerSecond }: SeriesLook): void {
  if (!made) return;
  setText(text("figure-epoch"), `${Math.floor(epoch + 1e-9)} of ${made.options.epochs}`);
  setText(text("figure-error"), number(error));
  const times = made.naiveError / error;
  setText(text("figure-better"), times >= 1 ? `${times.toPrecision(2)} times` : "not yet");
  setText(text("figure-speed"), forecastsPerSecond > 0 ? count(Math.round(forecastsPerSecond)) : "–");
  curves.show(errors);
  drawForecast();
}

function drawForecast(): void {
  if (!made) return;
  const { truth, naive, first } = made;
  const from = Number(input("from").value);
  const to = Math.min(truth.length, from + SHOWN);
  const part = (values: Float32Array | undefined) => [...(values?.subarray(from, to) ?? [])];
  const said = look ? part(look.forecast) : new Array<null>(to - from).fill(null);
  const places = Array.from({ length: to - from }, (_, i) => first + from + i);
  forecast.show([places, part(naive), part(truth), said]);
  setText(text("from-value"), `${count(first + from)} to ${count(first + to - 1)}`);
  setText(text("stretch-said"), `${made.options.ahead} steps ahead, from the ${made.options.seen} values before`);
}

function drawWhole(): void {
  if (!made) return;
  const { values, first } = made;
  const every = Math.max(1, Math.ceil(values.length / DRAWN));
  const places = Array.from({ length: Math.floor(values.length / every) }, (_, i) => i * every);
  const where = (held: boolean) => places.map((at) => (at >= first === held ? (values[at] as number) : null));
  whole.show([places, where(false), where(true)]);
}

function number(value: number): string {
  return short(Number(value.toPrecision(3)));
}
function count(whole: number): string {
  return whole.toLocaleString("en");
}

onRepaint(() => {
  for (const each of [forecast, curves, whole]) each.remake();
  burgers.draw();
});
showOptions();
void engine.listen(proxy(hear));
void make(source, options, backend, !matchMedia("(prefers-reduced-motion: reduce)").matches);
