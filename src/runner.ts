import type { Stop } from "./util/stop";

/** Values checked and copied, as a session hands them to what runs it. */
export type Arrays = Record<string, Float32Array | Float64Array | Int32Array>;

export interface RunRequest {
  readonly steps: number;
  readonly every: number;
  readonly signal?: Stop | undefined;
  /** Told between submissions how many steps are done and each scalar output's latest value, in the first copy where there are several. */
  progress?: ((step: number, outputs: Record<string, number>) => void) | undefined;
  /** Parameters that come back beside the outputs, as of the last step. */
  readonly state?: readonly string[];
  /** Told at the start where the scalar outputs are written down as the run goes on. */
  recording?: ((histories: Record<string, Float32Array>) => void) | undefined;
  /** Told when all of the run is on its way: what the device is given from then on comes after it. */
  sent?: () => void;
}

/** What `session.profile` measured of one kernel. */
export interface KernelTime {
  kernel: string;
  output: string;
  /** GPU time of one execution, or null where the device cannot tell. */
  nanoseconds: number | null;
  flops: number;
  bytes: number;
}

/** A compiled program on one backend. Where it has copies, arrays hold one after another. A session gives it checked values, and the next call once the one before is sent or over. */
export interface Runner {
  write(values: Arrays): void;
  /** Parameters and outputs, in the order of the names, all of the same step. */
  read(names: readonly string[], sent?: () => void): Promise<Float32Array[]>;
  run(inputs: Arrays, request: RunRequest): Promise<Record<string, Float32Array>>;
  /** Outputs and updates of one step from the current state, which is left as it was. */
  trial(inputs: Arrays): Promise<{ outputs: Record<string, Float32Array>; updates: Record<string, Float32Array> }>;
  explain(): string;
  profile(inputs: Arrays, steps: number): Promise<KernelTime[]>;
  dispose(): void;
}
