import { DeviceError } from "../util/errors";
import type { Dispatch, PlannedKernel } from "./codegen/plan";

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** A dispatch with everything that it needs from the device. */
export interface Recorded {
  readonly dispatch: Dispatch;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
}

/** Bytes of the numbers that a kernel is told. */
export const STEP_ARGUMENT_BYTES = 16;

/** Records one dispatch: `numbers` are told with it, or lie at `offset` in the buffer that is bound for them. */
export function encode(
  pass: GPUComputePassEncoder,
  { dispatch, pipeline, bindGroup }: Recorded,
  numbers: Uint32Array<ArrayBuffer>,
  offset: number,
): void {
  pass.setPipeline(pipeline);
  if (dispatch.stepArguments === "uniform") pass.setBindGroup(0, bindGroup, [offset]);
  else pass.setBindGroup(0, bindGroup);
  if (dispatch.stepArguments === "immediate") pass.setImmediates(0, numbers);
  pass.dispatchWorkgroups(...dispatch.workgroups);
}

/** Compute pipelines, compiled asynchronously, each once: the cache is keyed by the final text and its bindings. */
export class Pipelines {
  private readonly known = new Map<string, Promise<Pipeline>>();

  constructor(private readonly device: GPUDevice) {}

  /** Throws DeviceError with the shader's name, line and column where it does not compile. */
  async get(kernel: PlannedKernel): Promise<Pipeline> {
    const key = [kernel.stepArguments, ...kernel.bindings.map(({ access }) => access), kernel.source].join("\n");
    let pipeline = this.known.get(key);
    if (pipeline === undefined) {
      pipeline = this.compile(kernel);
      this.known.set(key, pipeline);
      // What failed is tried again the next time: the cause may have been a device short of memory.
      pipeline.catch(() => this.known.delete(key));
    }
    return pipeline;
  }

  private async compile({ kernel, label, source, bindings, stepArguments }: PlannedKernel): Promise<Pipeline> {
    const { device } = this;
    const name = `${kernel} (${label})`;
    const entries: GPUBindGroupLayoutEntry[] = bindings.map(({ access }, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: access === "read" ? "read-only-storage" : "storage" },
    }));
    if (stepArguments === "uniform") {
      entries.push({
        binding: entries.length,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: "uniform", hasDynamicOffset: true },
      });
    }
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ label: name, code: source });
    const layout = device.createBindGroupLayout({ label: name, entries });
    const pipelineLayout = device.createPipelineLayout({
      label: name,
      bindGroupLayouts: [layout],
      ...(stepArguments === "immediate" && { immediateSize: STEP_ARGUMENT_BYTES }),
    });
    const created = device.createComputePipelineAsync({
      label: name,
      layout: pipelineLayout,
      compute: { module, entryPoint: "main" },
    });
    const scope = device.popErrorScope();
    scope.catch(() => {}); // told where it is waited for
    try {
      const pipeline = await created;
      const error = await scope;
      if (error) throw new Error(error.message);
      return { pipeline, layout };
    } catch (error) {
      await scope.catch(() => null);
      const { messages } = await module.getCompilationInfo();
      const lines = source.split("\n");
      const details = messages
        .filter(({ type }) => type === "error")
        .map(
          ({ lineNum, linePos, message }) =>
            `  line ${lineNum}, column ${linePos}: ${message}\n    ${lines[lineNum - 1] ?? ""}`,
        );
      const cause = error instanceof Error ? error.message : String(error);
      throw new DeviceError(
        `compile: kernel ${name} was refused by the device: ${cause}${details.length > 0 ? `\n${details.join("\n")}` : ""}`,
        { cause: error },
      );
    }
  }
}
