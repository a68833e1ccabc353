import { proxy, type Remote } from "comlink";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { type Config, DATA, fromQuery, LIMITS, preset, within } from "../config";
import { css, onRepaint, palette } from "../page/colors";
import { DASHES, short } from "../page/curves";
import { byId, onceAFrame, setText } from "../page/dom";
import { PlaneView } from "../page/plane-view";
import type { Engine } from "../training/engine";
import type { Look, Made, Message } from "../training/messages";
import { startEngine } from "../training/start";

const SIDES = ["webgpu", "cpu"] as const;
type Side = (typeof SIDES)[number];

/** One of the two runners: an engine in a worker of its own, and its half of the page. */
class Runner {
  readonly steps: number[] = [];
  readonly losses: number[] = [];
  made: Made | null = null;
  look: Look | null = null;
  /** Set when it has come to its last step. */
  seconds = 0;
  private began = 0;
  private readonly engine: Remote<Engine> = startEngine();
  private readonly plane: PlaneView;
  /** The first look and the last one at steps that were taken. */
  private looks: { step: number; timeMs: number }[] = [];
  private done: () => void = () => {};

  constructor(
    private readonly side: Side,
    private readonly changed: () => void,
  ) {
    this.plane = new PlaneView(byId(`${side}-plane`, HTMLCanvasElement));
    void this.engine.listen(proxy((message: Message) => this.hear(message)));
  }

  /** Compiles the network and shows it untrained. Throws where this device is not there. */
  async prepare(config: Config): Promise<void> {
    this.steps.length = 0;
    this.losses.length = 0;
    this.seconds = 0;
    this.look = null;
    this.looks = [];
    this.made = null;
    await this.engine.make({ ...config, backend: this.side });
  }

  /** Resolves when it has come to the end, or was stopped. */
  async run(): Promise<void> {
    const finished = new Promise<void>((resolve) => {
      this.done = resolve;
    });
    this.began = performance.now();
    void this.engine.train();
    await finished;
  }

  /** Steps a second by the clock on the wall, from the first look on: before it was compiled. Of a short race, over all of it. */
  get speed(): number {
    const [first, last] = this.looks;
    if (!first || !last) return this.seconds > 0 ? (this.look?.step ?? 0) / this.seconds : 0;
    return ((last.step - first.step) * 1000) / (last.timeMs - first.timeMs);
  }

  stop(): void {
    void this.engine.pause();
  }

  redraw(): void {
    this.plane.draw();
  }

  private hear(message: Message): void {
    if (message.kind === "made") {
      this.made = message.made;
      setText(byId(`${this.side}-name`, HTMLElement), this.made.device.name);
      const canvas = byId(`${this.side}-plane`, HTMLCanvasElement);
      canvas.hidden = this.made.plane === null;
      canvas.classList.remove("waits");
      this.plane.begin(this.made);
    } else if (message.kind === "look") {
      this.look = message.look;
      this.steps.push(message.look.step);
      this.losses.push(message.look.training.loss);
      const now = { step: message.look.step, timeMs: performance.now() };
      if (now.step > 0) this.looks = [...this.looks.slice(0, 1), now];
      this.show(message.look);
    } else if (message.kind === "state" && message.state !== "training") {
      if (message.state === "finished") {
        this.seconds = (performance.now() - this.began) / 1000;
        if (this.look) this.show(this.look);
      }
      this.done();
    } else if (message.kind === "failed" || message.kind === "lost") {
      setText(byId(`${this.side}-name`, HTMLElement), message.kind === "lost" ? message.reason : message.message);
      this.done();
    }
  }

  private show({ step, heldBack, layers, route }: Look): void {
    const figure = (name: string, value: string) => setText(byId(`${this.side}-${name}`, HTMLElement), value);
    figure("step", step.toLocaleString("en"));
    figure("loss", (this.losses.at(-1) ?? Number.NaN).toPrecision(3));
    figure("held", `${(100 * heldBack.share).toFixed(1)} %`);
    figure("speed", this.speed > 0 ? Math.round(this.speed).toLocaleString("en") : "–");
    figure("route", route.replace(/ \(.*$/, "")); // the whole of it is in the playground's facts of the device
    this.plane.show(layers);
    this.changed();
  }
}

let chart: uPlot | null = null;
const box = byId("race-chart", HTMLElement);
const paint = onceAFrame(() => {
  const [gpu, cpu] = runners;
  const table = uPlot.join([
    [gpu.steps, gpu.losses],
    [cpu.steps, cpu.losses],
  ]);
  chart?.setData(table);
});
function remake(): void {
  chart?.destroy();
  const { ink, faint, line } = palette();
  const font = "11px system-ui, sans-serif";
  const axis = { font, stroke: faint, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const values = (_: uPlot, splits: (number | null)[]) => splits.map((v) => (v === null ? "" : short(v)));
  chart = new uPlot(
    {
      width: box.clientWidth,
      height: box.clientHeight,
      padding: [8, 18, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false }, y: { distr: 3 } },
      axes: [
        { ...axis, size: 22, gap: 4, values },
        { ...axis, size: 42, gap: 4, values },
      ],
      series: [
        {},
        { stroke: css(ink), width: 1.5, spanGaps: true, points: { show: false } },
        { stroke: css(ink), width: 1.5, dash: DASHES, spanGaps: true, points: { show: false } },
      ],
    },
    [[], [], []],
    box,
  );
  paint();
}

const runners: [Runner, Runner] = [new Runner("webgpu", paint), new Runner("cpu", paint)];
const start = byId("start", HTMLButtonElement);
const data = byId("race-data", HTMLSelectElement);
const steps = byId("race-steps", HTMLInputElement);
const verdict = byId("verdict", HTMLElement);
let running = false;

/** The playground's configuration, where a link brought one. */
function configured(): Config {
  const linked = fromQuery(location.hash.slice(1));
  const name = DATA.find((each) => each === data.value && each !== "csv") ?? "moons";
  const config = linked.data === name ? linked : preset(name);
  // All rows in every step: the order of batches depends on how many steps a device takes at once.
  return { ...config, batch: 0, steps: within("steps", steps.valueAsNumber, LIMITS.steps[0] * 2000) };
}

async function race(): Promise<void> {
  running = true;
  setText(start, "Stop");
  setText(verdict, "Compiling the same network for both…");
  const config = configured();
  const [gpu, cpu] = runners;
  const ready = await Promise.allSettled([gpu.prepare(config), cpu.prepare(config)]);
  const there = runners.filter((_, side) => ready[side]?.status === "fulfilled");
  const missing = ready.find((each) => each.status === "rejected");
  if (missing) setText(byId("webgpu-name", HTMLElement), missing.reason instanceof Error ? missing.reason.message : "");
  setText(verdict, "Off they go, from the same weights, with the same rows.");
  if (running) await Promise.all(there.map((runner) => runner.run()));
  running = false;
  setText(start, "Race");
  setText(verdict, verdictOf(gpu, cpu));
}

function verdictOf(gpu: Runner, cpu: Runner): string {
  if (gpu.seconds === 0 && cpu.seconds === 0) return "Stopped.";
  if (gpu.seconds === 0 || cpu.seconds === 0) return `Only the ${gpu.seconds === 0 ? "CPU" : "GPU"} could run here.`;
  const [a, b] = [gpu.speed, cpu.speed];
  const apart = Math.abs((gpu.losses.at(-1) ?? 0) / (cpu.losses.at(-1) ?? 1) - 1);
  const by = (Math.max(a, b) / Math.min(a, b)).toPrecision(2);
  const first = a > b ? "The GPU" : "The CPU";
  const same = `Their last losses differ by ${(100 * apart).toPrecision(2)} %: the same steps, rounded otherwise.`;
  const software = gpu.made?.device.isFallback ? " The “GPU” here is a software adapter, on the same cores." : "";
  return `${first} takes ${by} times as many steps a second. ${same}${software}`;
}

start.addEventListener("click", () => {
  if (!running) return void race();
  running = false;
  for (const runner of runners) runner.stop();
});
const linked = fromQuery(location.hash.slice(1));
if (linked.data !== "csv") data.value = linked.data;
onRepaint(() => {
  remake();
  for (const runner of runners) runner.redraw();
});
new ResizeObserver(() => chart?.setSize({ width: box.clientWidth, height: box.clientHeight })).observe(box);
remake();
