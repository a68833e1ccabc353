/** The pages that W5 loads: a bundle each, and who is measured with it. */
export const firstPages = [
  { contender: "wgrad webgpu", bundle: "wgrad", backend: "webgpu", ours: true, webgpu: true },
  { contender: "wgrad cpu", bundle: "wgrad", backend: "cpu", ours: true, webgpu: false },
  { contender: "jax-js webgpu", bundle: "jax", backend: "webgpu", ours: false, webgpu: true },
  { contender: "jax-js wasm", bundle: "jax", backend: "wasm", ours: false, webgpu: false },
  { contender: "TF.js webgpu", bundle: "tfjs-webgpu", backend: "webgpu", ours: false, webgpu: true },
  { contender: "TF.js wasm", bundle: "tfjs-wasm", backend: "wasm", ours: false, webgpu: false },
  { contender: "TF.js cpu", bundle: "tfjs-cpu", backend: "cpu", ours: false, webgpu: false },
] as const;

export type FirstPage = (typeof firstPages)[number];
