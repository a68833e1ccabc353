import { type Device, DeviceError, open } from "../../index";
import { digits } from "./digits";
import { moons } from "./moons";
import type { Report } from "./report";
import { train } from "./train";
import { twoLayer } from "./two-layer";

const query = new URLSearchParams(location.search);
const told = window.wgradReport;

/** To the terminal, where one listens, and onto the page. */
function show(report: Report): Promise<void> {
  showOnPage(report);
  return told?.(report) ?? Promise.resolve();
}

async function openDevice(): Promise<Device> {
  if (query.has("cpu")) {
    const device = await open({ backend: "cpu" });
    await show({ kind: "device", lines: [`${device.info.description}, as asked`] });
    return device;
  }
  try {
    // A software adapter is taken too: what is shown here is the shaders at work.
    const device = await open({ backend: "webgpu" });
    const { vendor, architecture, description, isFallback } = device.info;
    const names = [vendor, architecture, description].filter(Boolean).join(" ");
    const kind = isFallback
      ? "a software adapter: Chrome found no GPU it can use, so the shaders run on the CPU"
      : "the GPU";
    await show({ kind: "device", lines: [`WebGPU on ${names}`, kind] });
    return device;
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    const device = await open({ backend: "auto" });
    await show({
      kind: "device",
      lines: [`${device.info.description}: there is no usable WebGPU adapter`, error.message],
    });
    return device;
  }
}

async function run(): Promise<void> {
  const device = await openDevice();
  for (const experiment of [twoLayer(), moons(), await digits()]) {
    for (const [name, figure] of Object.entries(await train(device, experiment, show))) {
      figure.dataset.file = name;
      card(experiment.id).append(figure);
    }
  }
  device.close();
  await show({ kind: "done" });
}

function card(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found) return found;
  const made = document.createElement("section");
  made.id = id;
  made.innerHTML = `<h2></h2><progress value="0"></progress><p class="now"></p><p class="parity"></p><pre hidden></pre>`;
  document.querySelector("main")?.append(made);
  return made;
}

function showOnPage(report: Report): void {
  const text = (id: string, selector: string, value: string) => {
    const element = card(id).querySelector<HTMLElement>(selector);
    if (!element) return;
    element.hidden = false;
    element.textContent = value;
  };
  switch (report.kind) {
    case "device":
    case "failed": {
      const status = document.getElementById("status");
      if (status) status.textContent = report.kind === "device" ? report.lines.join(". ") : report.message;
      break;
    }
    case "begin":
      text(report.id, "h2", report.title);
      break;
    case "parity":
      text(report.id, ".parity", `Against float64 after one step: ${report.text}`);
      break;
    case "progress": {
      const bar = card(report.id).querySelector("progress");
      if (bar) bar.value = report.step / report.steps;
      const speed = Math.round(report.stepsPerSecond).toLocaleString("en");
      text(report.id, ".now", `step ${report.step} of ${report.steps}, loss ${report.loss}, ${speed} steps a second`);
      break;
    }
    case "end":
      text(report.id, "pre", report.lines.join("\n"));
      break;
    case "done":
      break;
    default:
      report satisfies never;
  }
}

async function runAndTell(): Promise<void> {
  try {
    await run();
  } catch (error) {
    await show({ kind: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

const button = document.querySelector("button");
button?.addEventListener("click", () => {
  button.hidden = true;
  runAndTell();
});
if (query.has("run")) button?.click();
