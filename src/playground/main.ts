import { proxy } from "comlink";
import { type Config, fromQuery, needsCompiling, toQuery } from "./config";
import { onScheme } from "./page/colors";
import { CurvesView, short } from "./page/curves";
import { DigitsView } from "./page/digits-view";
import { byId, download, setText } from "./page/dom";
import { keep, kept } from "./page/keeping";
import { NetworkView } from "./page/network-view";
import { PlaneView } from "./page/plane-view";
import { Settings } from "./page/settings";
import { askTable } from "./page/table-dialog";
import { WeightsView } from "./page/weights-view";
import type { Table } from "./training/data-set";
import type { DeviceFacts, Look, Made, Message } from "./training/messages";
import { startEngine } from "./training/start";

const engine = startEngine();
const text = (id: string) => byId(id, HTMLElement);
const [trainButton, stepButton, resetButton] = ["train", "step", "reset"].map((id) => byId(id, HTMLButtonElement)) as [
  HTMLButtonElement,
  HTMLButtonElement,
  HTMLButtonElement,
];

let config: Config = fromQuery(location.hash.slice(1));
let made: Made | null = null;
let training = false;
let checkpoint: Uint8Array | null = null;
let hasTable = false;
/** Mean over the steps between the last two looks. */
let batchLoss = Number.NaN;
let latest: Look | null = null;
let painting = false;

const plane = new PlaneView(byId("plane", HTMLCanvasElement));
const curves = new CurvesView(text("loss-chart"), text("accuracy-chart"));
const weights = new WeightsView(text("maps"));
const digits = new DigitsView(
  {
    mistakes: text("mistakes"),
    summary: text("mistakes-summary"),
    pad: byId("pad", HTMLCanvasElement),
    clear: byId("pad-clear", HTMLButtonElement),
    answer: text("pad-answer"),
    bars: text("pad-bars"),
  },
  (pixels) => engine.read(pixels),
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
let wanted: { keep: boolean; train: boolean; table?: Table; checkpoint?: Uint8Array } | null = null;
function make(options: NonNullable<typeof wanted>): Promise<void> {
  wanted = { ...options, train: options.train || (wanted?.train ?? false) };
  making ??= (async () => {
    try {
      while (wanted) {
        const now: NonNullable<typeof wanted> = wanted;
        wanted = null;
        await makeOne(now);
      }
    } finally {
      making = null;
    }
  })();
  return making;
}

async function makeOne({ keep, train, table, checkpoint: from }: NonNullable<typeof wanted>): Promise<void> {
  try {
    const used = config;
    made = await engine.make(used, { keep, ...(table && { table }), ...(from && { checkpoint: from }) });
    showMade(made);
    if (!made.kept) {
      curves.clear();
      checkpoint = null;
    }
    await engine.look();
    for (const button of [trainButton, stepButton, resetButton]) button.disabled = false;
    if (train) void engine.train();
    else setTraining(false);
  } catch (error) {
    setTraining(false);
    notify(messageOf(error));
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
  void make({ keep: false, train: false });
});

byId("log", HTMLInputElement).addEventListener("change", (event) => {
  curves.logarithmic = (event.target as HTMLInputElement).checked;
  curves.remake();
});
byId("explain", HTMLDetailsElement).addEventListener("toggle", () => void showExplained());
byId("weights-box", HTMLDetailsElement).addEventListener("toggle", () => latest && weights.show(latest));
byId("notice-close", HTMLButtonElement).addEventListener("click", () => {
  text("notice").hidden = true;
});
byId("share", HTMLButtonElement).addEventListener("click", async () => {
  history.replaceState(null, "", `#${toQuery(config)}`);
  try {
    await navigator.clipboard.writeText(location.href);
    setText(text("kept"), config.data === "csv" ? "Copied; the table itself is not in the link." : "Copied.");
  } catch {
    setText(text("kept"), "The link is in the address bar.");
  }
});
byId("save", HTMLButtonElement).addEventListener("click", async () => {
  download(`wgrad-${config.data}.safetensors`, await engine.save(), "application/octet-stream");
  setText(text("kept"), "Saved; PyTorch's load_state_dict takes it.");
});
byId("onnx", HTMLButtonElement).addEventListener("click", async () => {
  download(`wgrad-${config.data}.onnx`, await engine.onnx(), "application/octet-stream");
  setText(text("kept"), "Saved.");
});
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
    await engine.look();
    setText(text("kept"), `${file.name} is in use.`);
  } catch (error) {
    setText(text("kept"), messageOf(error));
  }
}

async function openTable(file: File): Promise<void> {
  const table = await askTable(file, engine);
  if (!table) return;
  hasTable = true;
  config = { ...fromQuery("data=csv"), backend: config.backend, seed: config.seed };
  settings.show(config);
  history.replaceState(null, "", `#${toQuery(config)}`);
  await make({ keep: false, train: true, table });
}

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const file = event.dataTransfer?.files[0];
  if (file) void (file.name.endsWith(".safetensors") ? openWeights(file) : openTable(file));
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden && training) void engine.pause();
});
window.addEventListener("pagehide", () => {
  if (checkpoint && hasTable === (config.data === "csv")) keep(toQuery(config), training, checkpoint, curves.table);
});
window.addEventListener("hashchange", () => void change(fromQuery(location.hash.slice(1))));

// What the engine tells ---------------------------------------------------------------------------------------------

function hear(message: Message): void {
  switch (message.kind) {
    case "losses":
      batchLoss = message.losses.reduce((sum, loss) => sum + loss, 0) / message.losses.length;
      break;
    case "look":
      latest = message.look;
      record(latest);
      if (!painting) {
        painting = true;
        requestAnimationFrame(() => {
          painting = false;
          if (latest) showLook(latest);
        });
      }
      break;
    case "state":
      setTraining(message.state === "training");
      if (message.state === "finished") setText(text("spoken"), `Stopped at step ${latest?.step}`);
      break;
    case "lost":
      showDevice(message.device);
      notify(
        `The device went away (${message.reason}). Training goes on from step ${message.step.toLocaleString("en")}, the last snapshot, on ${message.device.name}.`,
      );
      break;
    case "hint":
      notify(`Training on the CPU. ${message.hint}`);
      break;
    case "failed":
      notify(message.message);
      break;
    case "kept":
      checkpoint = message.checkpoint;
      break;
    default:
      message satisfies never;
  }
}

function record({ step, training: learned, heldBack }: Look): void {
  if (step === 0 || !Number.isFinite(batchLoss)) batchLoss = learned.loss;
  curves.add([step, batchLoss, heldBack.loss, heldBack.accuracy, learned.accuracy]);
}

function setTraining(on: boolean): void {
  training = on;
  setText(trainButton, on ? "Pause" : "Train");
  if (on) setText(text("spoken"), "Training");
  else if (latest) {
    setText(text("spoken"), `Paused at step ${latest.step}, held-back accuracy ${percent(latest.heldBack.accuracy)}`);
  }
}

function showMade(now: Made): void {
  latest = null;
  showDevice(now.device);
  network.begin(now, config.layers);
  plane.begin(now);
  weights.begin(now);
  text("digits").hidden = now.image === 0;
  text("plane-box").hidden = now.plane === null;
  if (now.image > 0) digits.begin(now);
  setText(text("data-rows"), `${now.training.y.length} and ${now.heldBack.y.length} held back`);
  setText(text("network-size"), `${now.widths.join(" – ")}, ${now.parameters.toLocaleString("en")} parameters`);
}

function showDevice({ backend, name, isFallback }: DeviceFacts): void {
  const dot = text("dot");
  dot.className = `dot ${backend}`;
  const kind = backend === "webgpu" && isFallback ? " (software)" : "";
  setText(text("device"), backend === "cpu" ? "CPU" : `WebGPU${kind}`);
  setText(text("fact-adapter"), `${name}${kind}`);
}

function showLook(look: Look): void {
  const { step, epoch, training: learned, heldBack, stepsPerSecond } = look;
  setText(text("figure-step"), step.toLocaleString("en"));
  setText(text("figure-epoch"), short(Math.floor(epoch)));
  setText(text("figure-loss"), batchLoss.toPrecision(3));
  setText(text("figure-accuracy"), percent(learned.accuracy));
  setText(text("figure-held"), percent(heldBack.accuracy));
  setText(text("figure-speed"), stepsPerSecond > 0 ? Math.round(stepsPerSecond).toLocaleString("en") : "–");
  setText(text("fact-route"), look.route);
  setText(text("fact-bytes"), bytes(look.bytes));
  setText(text("fact-rate"), String(Number(look.rate.toPrecision(3))));
  plane.show(look.layers);
  network.show(look);
  weights.show(look);
  if (made && made.image > 0) digits.show(look);
  curves.draw();
}

async function showExplained(): Promise<void> {
  if (!byId("explain", HTMLDetailsElement).open) return;
  text("explain-text").tabIndex = 0; // it scrolls
  setText(text("explain-text"), await engine.explain());
}

function notify(message: string): void {
  setText(text("notice-text"), message);
  text("notice").hidden = false;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function bytes(count: number): string {
  return count >= 1e6 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e3).toFixed(1)} kB`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// Beginning ---------------------------------------------------------------------------------------------------------

function redraw(): void {
  plane.draw();
  network.draw();
  curves.remake();
  void engine.thumbnails().then((pictures) => settings.thumbnails(pictures));
}

if (config.data === "csv") config = { ...fromQuery(""), backend: config.backend }; // the table is not in the address
settings.show(config);
onScheme(redraw);
await engine.listen(proxy(hear));
const before = kept(toQuery(config));
if (before) {
  curves.clear(before.curves);
  checkpoint = before.checkpoint;
}
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
await make({
  keep: false,
  train: before ? before.training : !still,
  ...(before && { checkpoint: before.checkpoint }),
});
redraw();
