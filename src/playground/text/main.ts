import { proxy, wrap } from "comlink";
import { onRepaint } from "../page/colors";
import { Desk } from "../page/desk";
import { byId, download, h, setText } from "../page/dom";
import { LineChart } from "../page/line-chart";
import { AttentionView } from "./attention-view";
import type { TextEngine, TextOptions, TextSource } from "./engine";
import type { Message, TextLook, TextMade, Written } from "./messages";

const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
const engine = wrap<TextEngine>(worker);
const text = (id: string) => byId(id, HTMLElement);
const button = (id: string) => byId(id, HTMLButtonElement);
const input = (id: string) => byId(id, HTMLInputElement);

/** A longer file is no text for a page to learn. */
const MOST_BYTES = 20_000_000;
const MOST_BEFORE = 6;
const OWN = "Genesis, in the King James Version";

let source: TextSource = { name: OWN, text: null };
let options: TextOptions = { size: "auto", steps: 6000, backend: "auto" };
let written: Written | null = null;
/** Steps, bits in training, bits held back. */
let table: [number[], (number | null)[], (number | null)[]] = [[], [], []];

const chart = new LineChart(text("chart"), [{}, { dashed: true }]);
const attention = new AttentionView(text("attention"), input("place"), text("place-value"));
const desk = new Desk(engine, (chosen) => void make(source, { ...options, backend: chosen }));

// What a person does ------------------------------------------------------------------------------------------------

const size = byId("size", HTMLSelectElement);
size.addEventListener("change", () => void make(source, { ...options, size: size.value as TextOptions["size"] }));
input("steps").addEventListener("change", () => {
  const { valueAsNumber, min, max } = input("steps");
  const steps = Math.round(Math.min(Number(max), Math.max(Number(min), valueAsNumber)));
  if (Number.isFinite(steps)) void make(source, { ...options, steps });
});
button("reset").addEventListener("click", () => void make(source, options, false));
button("open-text").addEventListener("click", () => input("text-file").click());
input("text-file").addEventListener("change", () => void taken(input("text-file"), learn));
button("tune").addEventListener("click", () => {
  tuning = true;
  input("text-file").click();
});
input("text-file").addEventListener("cancel", () => {
  tuning = false;
});
button("tune-proverbs").addEventListener("click", () => void tuneOn("Proverbs", null));
const paste = byId("paste", HTMLDialogElement);
const pasted = byId("pasted", HTMLTextAreaElement);
button("paste-text").addEventListener("click", () => paste.showModal());
paste.addEventListener("close", () => {
  if (paste.returnValue === "learn" && pasted.value !== "")
    void make({ name: "What you pasted", text: pasted.value }, options);
  paste.returnValue = "";
});
button("save").addEventListener("click", () => {
  void desk.tried(async () => {
    download("wgrad-text.safetensors", await engine.save(), "application/octet-stream");
    setText(text("kept"), "Saved, with its alphabet and its size.");
  });
});
button("open-network").addEventListener("click", () => input("network-file").click());
input("network-file").addEventListener("change", () => void taken(input("network-file"), openNetwork));
for (const id of ["prompt", "temperature"]) input(id).addEventListener("input", showWish);
for (const id of ["prompt", "temperature"]) input(id).addEventListener("change", () => void engine.write(wish()));
button("write").addEventListener("click", () => void engine.write(wish()));

let tuning = false;
function wish() {
  return { prompt: input("prompt").value, temperature: input("temperature").valueAsNumber };
}
function showWish(): void {
  setText(text("temperature-value"), input("temperature").valueAsNumber.toFixed(2));
}

/** The file that a field was given, to whom it is for; the same may be given again. */
async function taken(field: HTMLInputElement, to: (file: File) => Promise<void>): Promise<void> {
  const file = field.files?.[0];
  field.value = "";
  if (file) await to(file);
}

async function learn(file: File): Promise<void> {
  const second = tuning;
  tuning = false;
  await desk.tried(async () => {
    if (file.size > MOST_BYTES)
      throw new RangeError(`${file.name} has ${Math.round(file.size / 1e6)} MB; at most 20 are read.`);
    const content = await file.text();
    if (content.includes("\0")) throw new RangeError(`${file.name} is no text: it has a character 0.`);
    if (second) await tuneOn(file.name, content);
    else await make({ name: file.name, text: content }, options);
  });
}

async function openNetwork(file: File): Promise<void> {
  await desk.tried(async () => {
    await engine.load(new Uint8Array(await file.arrayBuffer()), options);
    setText(text("kept"), `${file.name} is in use.`);
  });
}

async function tuneOn(name: string, content: string | null): Promise<void> {
  await desk.tried(() => engine.tune({ name, text: content }, Math.max(100, Math.round(options.steps / 4))));
}

/** What is refused leaves everything as it was. */
async function make(from: TextSource, by: TextOptions, train = true): Promise<void> {
  const before = { source, options };
  [source, options] = [from, by];
  await desk.tried(async () => {
    try {
      await engine.make(from, by, train);
    } catch (error) {
      if (source === from) source = before.source;
      if (options === by) options = before.options;
      throw error;
    }
  });
  size.value = options.size;
  input("steps").value = String(options.steps);
}

document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  if (file) void (file.name.endsWith(".safetensors") ? openNetwork(file) : learn(file));
});

// What the engine tells ---------------------------------------------------------------------------------------------

function hear(message: Message): void {
  if (message.kind === "made") showMade(message.made);
  else if (message.kind === "look") showLook(message.look);
  else if (message.kind === "written") showWritten(message.written);
  else desk.hear(message);
}

function showMade(now: TextMade): void {
  const { sizes, parameters, learns, adapters, name, characters, different, leftOut } = now;
  written = null;
  table = [[], [], []];
  chart.show(table);
  desk.device(now.device);
  for (const figure of document.querySelectorAll<HTMLElement>(".figures dd")) setText(figure, "–");
  text("before").replaceChildren();
  const left = leftOut > 0 ? `; ${count(leftOut)} that the network does not know are left out` : "";
  setText(
    text("text-said"),
    name === ""
      ? "None yet: it writes, and learns from the text that you open."
      : `${name}: ${count(characters)} characters${left}.`,
  );
  const learnt = adapters
    ? `${count(learns)} of ${count(parameters)} parameters learn`
    : `${count(parameters)} parameters`;
  setText(
    text("network-said"),
    `${sizes.blocks} blocks of ${sizes.heads} heads, width ${sizes.features}; it sees ${sizes.length} of ${different} different characters at once; ${learnt}.`,
  );
  for (const id of ["train", "reset", "write", "save", "open-network", "tune", "tune-proverbs"])
    button(id).disabled = false;
  button("train").disabled = name === "";
}

function showLook({ step, steps, bits, heldBack, charactersPerSecond }: TextLook): void {
  setText(text("figure-step"), `${count(step)} of ${count(steps)}`);
  if (Number.isFinite(bits)) setText(text("figure-bits"), bits.toFixed(2));
  if (heldBack !== null) setText(text("figure-held"), heldBack.toFixed(2));
  if (charactersPerSecond > 0) setText(text("figure-speed"), count(Math.round(charactersPerSecond)));
  table[0].push(step);
  table[1].push(Number.isFinite(bits) ? bits : null);
  table[2].push(heldBack);
  chart.show(table);
}

function showWritten(now: Written): void {
  if (written && written.step !== now.step && written.text !== "") {
    const line = written.prompt + written.text;
    text("before").prepend(
      h("li", {}, h("span", { class: "num" }, `step ${count(written.step)}`), ` ${line.slice(0, 140)}…`),
    );
    while (text("before").children.length > MOST_BEFORE) text("before").lastChild?.remove();
  }
  written = now;
  setText(text("written-at"), `at step ${count(now.step)}`);
  text("written").replaceChildren(h("b", {}, now.prompt), now.text);
  text("attention-empty").hidden = true;
  text("attention-box").hidden = false;
  text("attention-box").tabIndex = 0; // it scrolls
  text("place-field").hidden = false;
  attention.show(now);
}

function count(whole: number): string {
  return whole.toLocaleString("en");
}

onRepaint(() => {
  chart.remake();
  attention.draw();
});
input("prompt").value = "And ";
input("temperature").value = "0.7";
input("steps").value = String(options.steps);
showWish();
void engine.listen(proxy(hear));
void engine.write(wish()); // before there is a network: how it is to write
void make(source, options, !matchMedia("(prefers-reduced-motion: reduce)").matches);
