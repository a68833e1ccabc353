/** How a kernel is told four numbers that differ from dispatch to dispatch: the record of its step, or the steps to run. */
export type Slot = "uniform" | "immediate";

/** WGSL that declares them. */
export function declareSlot(name: string, binding: number, slot: Slot): string {
  return slot === "immediate"
    ? `var<immediate> ${name}: vec4u;`
    : `@group(0) @binding(${binding}) var<uniform> ${name}: vec4u;`;
}

/** A kernel's text with what must stand before all else. */
export function withSlot(source: string, slot: Slot | null): string {
  return slot === "immediate" ? `requires immediate_address_space;\n${source}` : source;
}
