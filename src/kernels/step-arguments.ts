/** How a kernel is told four numbers that differ from dispatch to dispatch: the record of its step, or the steps to run. */
export type StepArguments = "uniform" | "immediate";

/** WGSL that declares them. */
export function declareStepArguments(name: string, binding: number, stepArguments: StepArguments): string {
  return stepArguments === "immediate"
    ? `var<immediate> ${name}: vec4u;`
    : `@group(0) @binding(${binding}) var<uniform> ${name}: vec4u;`;
}

/** A kernel's text with what must stand before all else. */
export function withStepArguments(source: string, stepArguments: StepArguments | null): string {
  return stepArguments === "immediate" ? `requires immediate_address_space;\n${source}` : source;
}
