import { benchOf } from "../bench";
import type { Bench } from "../contender";
import type { PageName } from "../contenders";
import type { Library } from "../library";
import { type Limits, measureLimits } from "../limits";

const libraries: Record<PageName, () => Promise<Library>> = {
  "wgrad webgpu": async () => (await import("../libraries/wgrad")).wgrad("webgpu"),
  "wgrad cpu": async () => (await import("../libraries/wgrad")).wgrad("cpu"),
  "wgrad recorded": async () => (await import("../libraries/wgrad")).wgrad("webgpu", undefined, "recorded"),
  "wgrad persistent": async () => (await import("../libraries/wgrad")).wgrad("webgpu", undefined, "persistent"),
  "jax-js webgpu": async () => (await import("../libraries/jax")).jax("webgpu"),
  "jax-js wasm": async () => (await import("../libraries/jax")).jax("wasm"),
  "TF.js webgpu": async () => (await import("../libraries/tfjs")).tfjs("webgpu"),
  "TF.js wasm": async () => (await import("../libraries/tfjs")).tfjs("wasm"),
  "TF.js cpu": async () => (await import("../libraries/tfjs")).tfjs("cpu"),
  "plain JS": async () => (await import("../libraries/plain")).plain,
};

declare global {
  /** What the command calls in the page. */
  var bench: { start(name: PageName): Promise<string>; limits(): Promise<Limits | null> } & Partial<Bench>;
}

globalThis.bench = {
  async start(name) {
    const running = benchOf(await libraries[name]());
    Object.assign(globalThis.bench, running);
    return running.open();
  },
  limits: async () => (navigator.gpu ? measureLimits(navigator.gpu) : null),
};
