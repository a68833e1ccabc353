// @ts-nocheck: what the page of `npx wgrad worker --chrome` runs. It trains what the worker is given by the queue.

// This package's own modules, served to the page.
const [{ open }, { trainWork }] = await Promise.all(["/index.js", "/sweep/index.js"].map((path) => import(path)));

/** @type {AbortController | null} */
let running = null;

const device = await open();

/** @param {string} text */
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** @param {Uint8Array} array */
function text(array) {
  let letters = "";
  for (let from = 0; from < array.length; from += 0x8000)
    letters += String.fromCharCode(...array.subarray(from, from + 0x8000));
  return btoa(letters);
}

/** @param {{ kind: string, bytes: string }} values */
const numbers = ({ kind, bytes: given }) => {
  const { buffer } = bytes(given);
  return kind === "int32" ? new Int32Array(buffer) : new Float32Array(buffer);
};

/** @param {{ x: any, y: any } | null} set */
const dataset = (set) => set && { x: numbers(set.x), y: numbers(set.y) };

Object.assign(globalThis, {
  wgradDevice: () => {
    const { backend, info } = device;
    return backend === "cpu"
      ? "CPU"
      : `WebGPU on ${[info.vendor, info.architecture, info.description].filter(Boolean).join(" ")}`;
  },
  wgradStop: () => running?.abort(new Error("stopped")),
  /** @param {string} path */
  async wgradTrain(path) {
    const { work, data, validation, checkpoints, everySeconds } = await (await fetch(path)).json();
    running = new AbortController();
    try {
      const outcomes = await trainWork(device, { data: dataset(data), validation: dataset(validation) }, work, {
        signal: running.signal,
        everySeconds,
        checkpoints: new Map(checkpoints.map(([id, file]) => [id, bytes(file)])),
        checkpointed: (files) => globalThis.wgradKept([...files].map(([id, file]) => [id, text(file)])),
      });
      return { outcomes };
    } catch (error) {
      return { failed: { name: error?.name ?? "Error", message: error?.message ?? String(error) } };
    }
  },
});
document.title = "ready";
