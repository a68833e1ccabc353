import { proxy, wrap } from "comlink";
import { css, onRepaint, palette } from "../page/colors";
import { Desk } from "../page/desk";
import { byId, onceAFrame, setText, sharpen } from "../page/dom";
import { CellImage, PlaneView } from "../page/plane-view";
import { BEGINNING, type ManyConfig, NOISE } from "./config";
import type { ManyEngine } from "./engine";
import type { ManyLook, ManyMade, Message } from "./messages";
import { RateMap } from "./rate-map";
import { shortLoss, Tiles } from "./tiles";

const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
const engine = wrap<ManyEngine>(worker);
const text = (id: string) => byId(id, HTMLElement);

let config: ManyConfig = { ...BEGINNING };
let made: ManyMade | null = null;
let look: ManyLook | null = null;
const paint = onceAFrame(() => {
  if (look) showLook(look);
});
/** Whom a person has picked; null: the best is shown. */
let picked: number | null = null;

const mean = new PlaneView(byId("mean", HTMLCanvasElement));
const one = new PlaneView(byId("one", HTMLCanvasElement));
const apart = byId("apart", HTMLCanvasElement);
const tiles = new Tiles(byId("tiles", HTMLOListElement), pick);
const map = new RateMap(byId("map", HTMLTableElement), pick);
const desk = new Desk(
  engine,
  (backend) => void make({ ...config, backend }),
  () => {
    if (!desk.training && look) tiles.sort(order(look), true);
  },
);

// What a person chooses ---------------------------------------------------------------------------------------------

const NUMBERS = ["noise", "rows", "count", "units", "least", "most", "epochs"] as const;
const WORDS = ["data", "activation", "optimizer"] as const;
const field = (id: string) => byId(id, HTMLElement) as HTMLInputElement | HTMLSelectElement;

function showConfig(): void {
  for (const name of [...NUMBERS, ...WORDS]) field(name).value = String(config[name]);
  setText(text("noise-value"), String(config.noise));
  setText(text("rows-value"), String(config.rows));
}

/** What the fields say; what in them makes no sense is as it was. */
function chosen(): ManyConfig {
  const next: Record<string, unknown> = { ...config };
  for (const name of NUMBERS) {
    const element = field(name);
    const value = Number(element.value);
    const [least, most] = [
      Number(element.getAttribute("min") ?? -Infinity),
      Number(element.getAttribute("max") ?? Infinity),
    ];
    if (element.value.trim() !== "" && value >= least && value <= most) next[name] = value;
  }
  for (const name of WORDS) next[name] = field(name).value;
  const wanted = next as unknown as ManyConfig;
  if (wanted.data !== config.data) wanted.noise = NOISE[wanted.data];
  // From slow to fast, whichever way they were given.
  if (wanted.least > wanted.most) [wanted.least, wanted.most] = [wanted.most, wanted.least];
  return { ...wanted, epochs: Math.round(wanted.epochs) };
}

byId("choice", HTMLElement).addEventListener("change", (event) => {
  const next = chosen();
  if (event.target !== field("epochs") || making) return void make(next);
  // Longer or shorter, they stay the same networks.
  config = next;
  showConfig();
  void engine.extend(config.epochs);
});
for (const name of ["noise", "rows"]) {
  field(name).addEventListener("input", () => setText(text(`${name}-value`), field(name).value));
}
byId("reset", HTMLButtonElement).addEventListener("click", () => void make(config, false));

function pick(network: number): void {
  picked = picked === network ? null : network;
  if (look) showLook(look);
}

/** Makes the networks that are configured. Those that are wanted meanwhile come after, and only the last. */
let making: Promise<void> | null = null;
let wanted: { config: ManyConfig; train: boolean } | null = null;
function make(next: ManyConfig, train = true): Promise<void> {
  config = next;
  showConfig();
  wanted = { config, train };
  making ??= (async () => {
    while (wanted) {
      const now: { config: ManyConfig; train: boolean } = wanted;
      wanted = null;
      await desk.tried(() => engine.make(now.config, now.train));
      for (const id of ["train", "reset"]) byId(id, HTMLButtonElement).disabled = false;
    }
    making = null;
  })();
  return making;
}

// What the engine tells ---------------------------------------------------------------------------------------------

function hear(message: Message): void {
  if (message.kind === "made") {
    made = message.made;
    look = null;
    picked = null;
    desk.device(made.device);
    for (const figure of document.querySelectorAll<HTMLElement>(".figures dd")) setText(figure, "–");
    mean.begin(made);
    one.begin(made);
    tiles.begin(made);
    map.begin(made);
  } else if (message.kind === "look") {
    look = message.look;
    paint();
  } else desk.hear(message);
}

/** The best first; those that have stopped last. */
function order({ losses, stopped }: ManyLook): number[] {
  const at = new Set(stopped.map(({ network }) => network));
  const rank = (network: number) => (at.has(network) ? Infinity : (losses[network] as number));
  return [...losses.keys()].sort((a, b) => (rank(a) === rank(b) ? a - b : rank(a) - rank(b)));
}

function nameOf(network: number): string {
  return `Rate ${made?.rates[network]}, seed ${made?.seeds[network]}`;
}

function told({ losses, shares, stopped }: ManyLook, network: number): string {
  const end = stopped.find((each) => each.network === network);
  if (end) {
    const what = end.tensor === "loss" ? "its loss was" : `${end.tensor} was`;
    return `${nameOf(network)}: stopped at step ${end.step.toLocaleString("en")}, where ${what} no longer finite`;
  }
  return `${nameOf(network)}: loss ${shortLoss(losses[network] as number)}, ${percent(shares[network] as number)} right`;
}

function showLook(now: ManyLook): void {
  if (!made) return;
  const names = [...now.losses.keys()].map((network) => told(now, network));
  const sorted = order(now);
  const alive = sorted.slice(0, sorted.length - now.stopped.length);
  const average = alive.reduce((sum, network) => sum + (now.shares[network] as number), 0) / Math.max(1, alive.length);
  setText(text("figure-epoch"), `${now.epoch.toLocaleString("en")} of ${config.epochs.toLocaleString("en")}`);
  setText(text("figure-together"), alive.length > 0 ? percent(now.together.share) : "–");
  setText(text("figure-alone"), alive.length > 0 ? percent(average) : "–");
  setText(
    text("figure-best"),
    alive.length > 0 ? percent(Math.max(...alive.map((network) => now.shares[network] as number))) : "–",
  );
  setText(text("figure-stopped"), `${now.stopped.length} of ${now.losses.length}`);
  setText(text("figure-speed"), now.stepsPerSecond > 0 ? Math.round(now.stepsPerSecond).toLocaleString("en") : "–");
  const shown = picked ?? (sorted[0] as number);
  setText(text("one-title"), picked === null ? "The best one" : "The one you picked");
  setText(text("one-said"), names[shown] ?? "");
  tiles.show(now, names);
  tiles.sort(sorted, !desk.training);
  tiles.pick(picked ?? -1);
  map.show(now, names);
  map.pick(shown);
  mean.show([now.mean]);
  one.show([now.each[shown] as Float32Array]);
  drawApart();
  text("stopped").replaceChildren(
    ...now.stopped.map(({ network }) => {
      const item = document.createElement("li");
      item.textContent = names[network] ?? "";
      return item;
    }),
  );
}

function drawApart(): void {
  if (!look || !made?.plane || apart.clientWidth === 0) return;
  const { width, height, pen } = sharpen(apart);
  // A deviation of a half, the largest there is, is in ink.
  const shares = look.apart.map((deviation) => 2 * deviation);
  new CellImage(made.plane.cells).share(shares, 0, 1, palette().ink).drawTo(pen, 0, 0, width, height);
  pen.strokeStyle = css(palette().ink, 0.25);
  pen.strokeRect(0.5, 0.5, width - 1, height - 1);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

onRepaint(() => {
  if (look) showLook(look);
  mean.draw();
  one.draw();
});
new ResizeObserver(drawApart).observe(apart);
text("map-box").tabIndex = 0; // it scrolls
void engine.listen(proxy(hear));
// Who wants no motion begins it.
void make(config, !matchMedia("(prefers-reduced-motion: reduce)").matches);
