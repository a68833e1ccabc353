/** Who is measured in the browser, in the order of the table. */
export const pageContenders = [
  { name: "wgrad webgpu", ours: true, webgpu: true },
  { name: "wgrad cpu", ours: true, webgpu: false },
  { name: "jax-js webgpu", ours: false, webgpu: true },
  { name: "jax-js wasm", ours: false, webgpu: false },
  { name: "TF.js webgpu", ours: false, webgpu: true },
  { name: "TF.js wasm", ours: false, webgpu: false },
  { name: "TF.js cpu", ours: false, webgpu: false },
  { name: "plain JS", ours: false, webgpu: false },
] as const satisfies readonly Entrant[];

/** wgrad held to one route, for the scans over size. */
export const routeContenders = [
  { name: "wgrad recorded", ours: true, webgpu: true, route: "recorded" },
  { name: "wgrad persistent", ours: true, webgpu: true, route: "persistent" },
] as const satisfies readonly Entrant[];

/** A row of the table: a library on a backend. */
export interface Entrant {
  name: string;
  ours: boolean;
  /** Whether it runs through WebGPU, so that it is compared with our WebGPU. */
  webgpu: boolean;
  /** The only route that it is to be measured on. */
  route?: "recorded" | "persistent";
}

export type PageName = (typeof pageContenders | typeof routeContenders)[number]["name"];
