// Trains three networks in headless Chrome, shows it in the terminal and writes pictures and weights to out/.
//
//   npm start            on WebGPU; on the CPU where there is no adapter
//   npm start -- --cpu   on the CPU

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import cliProgress from "cli-progress";
import { build, preview } from "vite";
import { launchChrome } from "./chrome.mjs";

/** @typedef {import("../src/playground/start/report.ts").Report} Report */

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, "out");
const cpu = process.argv.includes("--cpu");
const isTerminal = process.stdout.isTTY === true;

/** @param {string} [line] */
const say = (line = "") => console.log(line);
/** @param {number} value */
const whole = (value) => Math.round(value).toLocaleString("en");

/** @type {string[]} */
const written = [];
/** @param {string} name @param {Uint8Array} bytes */
function write(name, bytes) {
  const path = join(out, name);
  writeFileSync(path, bytes);
  written.push(relative(root, path));
}

/** The state of the bar, or of the plain lines that stand for it where the output is no terminal. */
const bar = new cliProgress.SingleBar({
  format: "  {bar} {step}/{steps}  loss {loss}  {speed} steps/s",
  barsize: 28,
  barCompleteChar: "█",
  barIncompleteChar: "░",
  hideCursor: true,
  gracefulExit: false,
});
let saidTenth = 0;

/** @type {{ [K in Report["kind"]]: (report: Extract<Report, { kind: K }>) => void }} */
const tell = {
  device({ lines: [first = "", ...more] }) {
    say(`device  ${first}`);
    for (const line of more) say(`        ${line}`);
  },
  begin({ title, steps }) {
    say(`\n${title}, ${whole(steps)} steps`);
    saidTenth = 0;
  },
  parity({ text }) {
    say(`  against float64 after the first step: ${text}`);
  },
  progress({ step, steps, loss, stepsPerSecond }) {
    const shown = { step: whole(step), steps: whole(steps), loss, speed: whole(stepsPerSecond) };
    if (isTerminal) {
      if (!bar.isActive) bar.start(steps, step, shown);
      bar.update(step, shown);
      if (step === steps) bar.stop();
      return;
    }
    const tenth = Math.floor((10 * step) / steps);
    if (tenth === saidTenth) return;
    saidTenth = tenth;
    say(`  step ${shown.step}/${shown.steps}  loss ${shown.loss}  ${shown.speed} steps/s`);
  },
  end({ id, lines, weights }) {
    for (const line of lines) say(`  ${line}`);
    write(`${id}.safetensors`, Buffer.from(weights, "base64"));
  },
  done() {},
  failed() {},
};

/** @type {(() => unknown)[]} */
const closers = [];
async function close() {
  if (bar.isActive) bar.stop();
  for (const closer of closers.splice(0).reverse()) await closer();
}
let stopped = false;
/** @param {NodeJS.Signals} signal */
async function stop(signal) {
  if (stopped) return;
  stopped = true;
  await close();
  say("\nstopped");
  process.exit(signal === "SIGINT" ? 130 : 143);
}
/** Only this file's: a server of vite's would end the process before Chrome's profile is cleared away. */
function listenForSignals() {
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.removeAllListeners(signal);
    process.on(signal, stop);
  }
}

async function trainAll() {
  mkdirSync(out, { recursive: true });
  await build({ root, logLevel: "warn" });
  const server = await preview({ root, logLevel: "warn", preview: { host: "127.0.0.1", port: 4178 } });
  closers.push(() => server.close());
  listenForSignals();
  const address = server.resolvedUrls?.local[0];
  if (!address) throw new Error("internal: the page has no address");

  const browser = await launchChrome({
    defaultViewport: { width: 1060, height: 900, deviceScaleFactor: 2 },
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
  closers.push(() => browser.close());
  const page = await browser.newPage();
  /** @type {(nothing?: undefined) => void} */
  let resolve = () => {};
  /** @type {(error: unknown) => void} */
  let reject = () => {};
  const result = new Promise((done, failed) => {
    resolve = done;
    reject = failed;
  });
  result.catch(() => {}); // awaited below; until then a failure waits its turn
  page.on("error", (error) => reject(new Error(`the page crashed: ${error.message}`)));
  page.on("pageerror", reject);
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warn") console.error(`  the page: ${message.text()}`);
  });
  browser.on("disconnected", () => reject(new Error("Chrome went away")));
  await page.exposeFunction("wgradReport", (/** @type {Report} */ report) => {
    if (report.kind === "failed") return reject(new Error(report.message));
    tell[report.kind](/** @type {never} */ (report));
    if (report.kind === "done") resolve();
  });
  await page.goto(`${address}src/playground/start/index.html?run${cpu ? "&cpu" : ""}`);
  await result;

  for (const figure of await page.$$("figure[data-file]")) {
    const name = await figure.evaluate((element) => element.getAttribute("data-file"));
    write(`${name}.png`, await figure.screenshot());
  }
  say(`\nwritten: ${written.join("\n         ")}`);
}

listenForSignals();
try {
  await trainAll();
} catch (error) {
  if (bar.isActive) bar.stop();
  if (!stopped) console.error(`\nwgrad: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await close();
}
