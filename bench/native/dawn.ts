import { createRequire } from "node:module";

interface Dawn {
  create(flags: string[]): GPU;
  globals: Record<string, unknown>;
}

/** WebGPU in Node: Dawn's binding, from where DAWN_NODE says or else from the package `webgpu`. */
export async function dawn(): Promise<GPU> {
  const path = process.env.DAWN_NODE;
  const { create, globals } = (path ? createRequire(import.meta.url)(path) : await import("webgpu")) as Dawn;
  Object.assign(globalThis, globals);
  return create([]);
}
