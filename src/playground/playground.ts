import { proxy } from "comlink";
import { type Config, fromQuery, needsCompiling, toQuery } from "./config";
import { engine } from "./own-engine";
import { AxesView } from "./page/axes-view";
import { onRepaint } from "./page/colors";
import { confusionTable } from "./page/confusion-view";
import { CurvesView, short } from "./page/curves";
import { DigitsView } from "./page/digits-view";
import { byId, download, h, onceAFrame, setText } from "./page/dom";
import { onDrop } from "./page/dropping";
import { FitView } from "./page/fit-view";
import { keep, kept } from "./page/keeping";
import { NetworkView } from "./page/network-view";
import { RASTER_8 } from "./page/pad";
import { NUMBERS_REACH, PlaneView } from "./page/plane-view";
import { Presence } from "./page/presence";
import { SayView } from "./page/say-view";
import { Settings } from "./page/settings";
import { Status } from "./page/status";
import { forgetTables, storedTable, storeTable } from "./page/stored-table";
import { WeightsView } from "./page/weights-view";
import type { MakeOptions } from "./training/engine";
import { type DeviceFacts, type Look, type Made, type Message, SCORED, type Standing } from "./training/messages";

const text = (id: string) => byId(id, HTMLElement);
const [trainButton, stepButton, resetButton] = ["train", "step", "reset"].map((id) => byId(id, HTMLButtonElement)) as [
  HTMLButtonElement,
  HTMLButtonElement,
  HTMLButtonElement,
];

let config: Config = fromQuery(location.hash.slice(1));
let made: Made | null = null;
let training = false;
let standing: Standing | null = null;
let hasTable = false;
let latest: Look | null = null;
const paint = onceAFrame(() => {
  if (latest) showLook(latest);
});

const status = new Status();
const plane = new PlaneView(byId("plane", HTMLCanvasElement));
const fit = new FitView(byId("fit", HTMLCanvasElement));
const curves = new CurvesView(text("loss-chart"), text("accuracy-chart"));
const weights = new WeightsView(text("maps"));
const say = new SayView((fields) => engine.say(fields));
const axes = new AxesView((chosen, at) => {
  config = { ...config, axes: chosen };
  history.replaceState(null, "", `#${toQuery(config)}`);
  void engine.show(chosen, at);
});
const presence = new Presence(
  () => ({
    step: latest?.step ?? 0,
    training,
    stepsPerSecond: latest?.stepsPerSecond ?? 0,
    said: `step ${count(latest?.step ?? 0)}, ${heldBackNow()} – wgrad`,
  }),
  (message) => status.notify(message),
);
const digits = new DigitsView(
  {
    mistakes: text("mistakes"),
    summary: text("mistakes-summary"),
    pad: byId("pad", HTMLCanvasElement),
    clear: byId("pad-clear", HTMLButtonElement),
    answer: text("pad-answer"),
    bars: text("pad-bars"),
  },
  RASTER_8,
  async (pixels) => pixels && engine.read(pixels),
);
const network = new NetworkView(
  text("net"),
  (layers) => void change({ ...config, layers }),
  (picked) => {
    plane.pick(picked);
    setText(text("shown"), picked ? picked.name : "");
  },
);
const settings = new Settings(
  (next) => void change(next),
  () => byId("csv-file", HTMLInputElement).click(),
);

// What a person does ------------------------------------------------------------------------------------------------

async function change(next: Config): Promise<void> {
  const before = config;
  config = next;
  settings.show(config);
  history.replaceState(null, "", `#${toQuery(config)}`);
  if (!needsCompiling(before, config)) {
    await engine.change({ rate: config.rate, schedule: config.schedule, steps: config.steps });
    return;
  }
  const sameTask = before.data === config.data && before.seed === config.seed;
  await make({ keep: sameTask, train: training });
}

/** Makes the network that is configured. One that is wanted meanwhile comes after, and only the last. */
let making: Promise<void> | null = null;
let wanted: MakeOptions | null = null;
function make(options: MakeOptions): Promise<void> {
  wanted = { ...options, train: options.train || (wanted?.train ?? false) };
  making ??= (async () => {
    try {
      while (wanted) {
        const now: MakeOptions = wanted;
        wanted = null;
        await makeOne(now);
      }
    } finally {
      making = null;
    }
  })();
  return making;
}

async function makeOne(options: MakeOptions): Promise<void> {
  setBusy(true);
  try {
    await engine.make(config, options);
    for (const button of [trainButton, stepButton, resetButton]) button.disabled = false;
    if (!options.train) setTraining(false);
  } catch (error) {
    setBusy(false);
    setTraining(false);
    status.notify(messageOf(error));
  }
}

trainButton.addEventListener("click", () => {
  if (training) return void engine.pause();
  const done = latest?.step ?? 0;
  if (done >= config.steps) {
    config = { ...config, steps: Math.min(1_000_000, done + config.steps) };
    settings.show(config);
    history.replaceState(null, "", `#${toQuery(config)}`);
    void engine.change({ rate: config.rate, schedule: config.schedule, steps: config.steps });
  }
  void engine.train();
});
stepButton.addEventListener("click", () => void engine.step());
resetButton.addEventListener("click", () => {
  curves.clear();
  void make({ train: false });
});

byId("log", HTMLInputElement).addEventListener("change", (event) => {
  curves.logarithmic = (event.target as HTMLInputElement).checked;
  curves.remake();
});
text("confusion").tabIndex = 0; // it scrolls
byId("explain", HTMLDetailsElement).addEventListener("toggle", () => void showExplained());
byId("weights-box", HTMLDetailsElement).addEventListener("toggle", () => latest && weights.show(latest));
byId("share", HTMLButtonElement).addEventListener("click", async () => {
  history.replaceState(null, "", `#${toQuery(config)}`);
  try {
    await navigator.clipboard.writeText(location.href);
    setText(text("kept"), config.data === "csv" ? "Copied; the table itself is not in the link." : "Copied.");
  } catch {
    setText(text("kept"), "The link is in the address bar.");
  }
});
byId("save", HTMLButtonElement).addEventListener("click", () => {
  void offer("safetensors", () => engine.save(), "PyTorch's load_state_dict takes it. Its rows are standardised ones.");
});
byId("onnx", HTMLButtonElement).addEventListener("click", () => {
  void offer("onnx", () => engine.onnx(), "it takes rows as they are in the data, and standardises them itself.");
});
async function offer(kind: string, made: () => Promise<Uint8Array>, what: string): Promise<void> {
  try {
    download(`wgrad-${config.data}.${kind}`, await made(), "application/octet-stream");
    setText(text("kept"), `Saved; ${what}`);
  } catch (error) {
    setText(text("kept"), messageOf(error));
  }
}
const weightsFile = byId("weights-file", HTMLInputElement);
byId("open-weights", HTMLButtonElement).addEventListener("click", () => weightsFile.click());
weightsFile.addEventListener("change", () => {
  const file = weightsFile.files?.[0];
  weightsFile.value = "";
  if (file) void openWeights(file);
});
const csvFile = byId("csv-file", HTMLInputElement);
csvFile.addEventListener("change", () => {
  const file = csvFile.files?.[0];
  csvFile.value = "";
  if (file) void openTable(file);
});

async function openWeights(file: File): Promise<void> {
  try {
    await engine.load(new Uint8Array(await file.arrayBuffer()));
    setText(text("kept"), `${file.name} is in use.`);
  } catch (error) {
    setText(text("kept"), messageOf(error));
  }
}

async function openTable(file: File): Promise<void> {
  const { askTable } = await import("./page/table-dialog"); // most visitors have no file of their own
  const table = await askTable(file, engine);
  if (!table) return;
  hasTable = true;
  config = { ...fromQuery("data=csv"), backend: config.backend, seed: config.seed };
  settings.show(config);
  history.replaceState(null, "", `#${toQuery(config)}`);
  await make({ train: true, table });
  const refused = await storeTable(table);
  if (refused) status.notify(`The table is used, but a reload will ask for it again: ${refused}.`);
}

byId("forget", HTMLButtonElement).addEventListener("click", async () => {
  await forgetTables();
  hasTable = false;
  await change({ ...fromQuery(""), backend: config.backend });
});

onDrop("Drop a CSV file or weights to use them", ({ files: [file] }) => {
  if (file) void (file.name.endsWith(".safetensors") ? openWeights(file) : openTable(file));
});
window.addEventListener("pagehide", () => {
  if (standing && hasTable === (config.data === "csv")) keep(toQuery(config), training, standing, curves.table);
});
window.addEventListener("hashchange", () => void change(fromQuery(location.hash.slice(1))));

// What the engine tells ---------------------------------------------------------------------------------------------

function hear(message: Message): void {
  switch (message.kind) {
    case "made":
      showMade(message.made);
      break;
    case "viewed":
      if (made) showPlane({ ...made, axes: message.axes, plane: message.plane });
      break;
    case "look":
      setBusy(false);
      latest = message.look;
      record(latest);
      paint();
      break;
    case "state":
      setTraining(message.state === "training");
      if (latest && !training) showLook(latest); // what it stands at is read as soon as it stands
      if (message.state === "finished") setText(text("spoken"), `Stopped at step ${latest?.step}`);
      break;
    case "lost":
      showDevice(message.device);
      status.hear(message, training);
      break;
    case "hint":
    case "failed":
      status.hear(message, training);
      break;
    case "kept":
      standing = message.standing;
      break;
    default:
      message satisfies never;
  }
}

function record({ step, training: learned, heldBack }: Look): void {
  presence.look();
  curves.add([step, learned.loss, heldBack.loss, heldBack.share, learned.share]);
}

/** A network is being made: what is shown is of the one before. */
function setBusy(busy: boolean): void {
  document.body.classList.toggle("busy", busy);
  if (busy) setText(text("spoken"), "Compiling the network");
  setText(text("busy"), busy ? "compiling…" : "");
}

/** The network with the features that its plane shows now. */
function showPlane(now: Made): void {
  made = now;
  axes.begin(now);
  plane.begin(now);
  network.turn(now);
}

function setTraining(on: boolean): void {
  training = on;
  setText(trainButton, on ? "Pause" : "Train");
  if (on) setText(text("spoken"), "Training");
  else if (latest) {
    setText(text("spoken"), `Paused at step ${latest.step}, held back ${shareOf(latest.heldBack.share)}`);
  }
  presence.look();
}

function heldBackNow(): string {
  if (!latest) return "not trained yet";
  return made?.target ? `R² ${shareOf(latest.heldBack.share)}` : `${shareOf(latest.heldBack.share)} held back`;
}

function showMade(now: Made): void {
  made = now;
  latest = null;
  if (!now.kept) {
    curves.clear();
    standing = null;
  }
  for (const figure of document.querySelectorAll<HTMLElement>(".figures dd")) setText(figure, "–"); // those are of before
  showDevice(now.device);
  network.begin(now, config.layers);
  plane.begin(now);
  axes.begin(now);
  say.begin(now);
  text("confusion-card").hidden = now.target !== null;
  text("confusion").replaceChildren();
  weights.begin(now);
  text("digits").hidden = now.image === 0;
  text("plane-box").hidden = now.plane === null;
  showTarget(now);
  if (now.image > 0) digits.begin(now.heldBack);
  setText(text("data-rows"), `${count(now.training.y.length)} and ${count(now.heldBack.y.length)} held back`);
  const [large, held] = [now.training, now.heldBack].map(({ y }) => y.length > SCORED);
  text("scored").hidden = !large;
  const part = held ? "each part" : "those it learns from";
  setText(text("scored"), `Loss and ${now.target ? "R²" : "accuracy"}: of the first ${count(SCORED)} rows of ${part}`);
  setText(text("network-size"), `${now.widths.join(" – ")}, ${now.parameters.toLocaleString("en")} parameters`);
}

/** What is told of classes by their colours and by a share that is right, is told of numbers by a scale and by R². */
function showTarget(now: Made): void {
  const { target } = now;
  settings.learnsNumbers(target !== null);
  for (const id of ["accuracy-name", "accuracy-chart-name"]) setText(text(id), target ? "R²" : "accuracy");
  setText(text("result-title"), target ? `What it says of ${target.name}` : "What it decides");
  text("fit-box").hidden = target === null;
  text("scale").hidden = target === null;
  text("training-key").className = target ? "any" : "";
  text("held-key").className = target ? "any ringed" : "hollow";
  const keys = now.classes.map((name, k) => h("span", { class: `key class-${k % 10}` }, h("i"), name));
  text("class-keys").replaceChildren(...keys);
  setText(
    text("pictures"),
    now.image > 0
      ? "A picture shows the weights that lead to a neuron from each pixel."
      : "A picture shows what a neuron says over the plane; point at one to see it large.",
  );
  if (!target) return;
  const end = (deviations: number) => short(Number((target.mean + deviations * target.deviation).toPrecision(3)));
  setText(text("scale-least"), end(-NUMBERS_REACH));
  setText(text("scale-most"), end(NUMBERS_REACH));
  text("scale").setAttribute("aria-label", `Colours from ${end(-NUMBERS_REACH)} to ${end(NUMBERS_REACH)}`);
  fit.begin(now);
}

function showDevice(device: DeviceFacts): void {
  const name = status.showDevice(device);
  setText(text("fact-adapter"), name);
  setText(text("device-short"), name);
}

function showLook(look: Look): void {
  const { step, epoch, training: learned, heldBack, stepsPerSecond } = look;
  setText(text("figure-step"), step.toLocaleString("en"));
  setText(text("figure-epoch"), count(Math.floor(epoch + 1e-9)));
  setText(text("figure-loss"), learned.loss.toPrecision(3));
  setText(text("figure-accuracy"), shareOf(learned.share));
  setText(text("figure-held"), shareOf(heldBack.share));
  setText(text("figure-speed"), stepsPerSecond > 0 ? Math.round(stepsPerSecond).toLocaleString("en") : "–");
  setText(text("fact-route"), look.route);
  setText(text("fact-bytes"), bytes(look.bytes));
  setText(text("fact-rate"), String(Number(look.rate.toPrecision(3))));
  plane.show(look.layers);
  network.show(look);
  weights.show(look);
  showConfusion(look);
  say.look();
  if (made && made.image > 0) digits.show(look);
  if (made?.target) {
    fit.show(look);
    const error = Math.sqrt(heldBack.loss) * made.target.deviation;
    setText(
      text("fit-error"),
      `off by ${short(Number(error.toPrecision(3)))} on the rows held back (root mean square)`,
    );
  }
  curves.draw();
}

/** Not at every look while it trains: a table is made anew. */
let confusionShownAt = 0;
function showConfusion({ said }: Look): void {
  const now = performance.now();
  if (!said || !made || (training && now - confusionShownAt < 250)) return;
  confusionShownAt = now;
  const actual = made.heldBack.y.subarray(0, said.length);
  text("confusion").replaceChildren(confusionTable(actual, said, made.classes));
}

async function showExplained(): Promise<void> {
  if (!byId("explain", HTMLDetailsElement).open) return;
  text("explain-text").tabIndex = 0; // it scrolls
  setText(text("explain-text"), await engine.explain());
}

/** Above what was said before, so that of two things that come together neither is lost. */

function shareOf(share: number): string {
  return made?.target ? share.toFixed(3) : `${(100 * share).toFixed(1)} %`;
}

function count(whole: number): string {
  return whole.toLocaleString("en");
}

function bytes(count: number): string {
  return count >= 1e6 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e3).toFixed(1)} kB`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// Beginning ---------------------------------------------------------------------------------------------------------

function redraw(): void {
  if (latest) showLook(latest);
  plane.draw();
  fit.draw();
  network.draw();
  curves.remake();
  settings.thumbnails();
}

/** Trains what the address says, or goes on with what a reload has left. */
export async function begin(): Promise<void> {
  settings.show(config);
  onRepaint(redraw);
  void engine.listen(proxy(hear));
  const table = config.data === "csv" ? await storedTable() : null; // it is not in the address
  hasTable = table !== null;
  if (config.data === "csv" && !table) {
    config = { ...fromQuery(""), backend: config.backend };
    settings.show(config);
    status.notify(
      "The table of this address is not in this browser: drop its CSV file on the page. Meanwhile, two moons.",
    );
  }
  const before = kept(toQuery(config));
  if (before) {
    curves.clear(before.curves);
    standing = before.standing;
  }
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  await make({
    train: before ? before.training : !still,
    ...(before && { from: before.standing }),
    ...(table && { table }),
  });
  redraw();
  settings.thumbnails(await engine.thumbnails());
}
