/** What the adapter does at its best, by kernels that do nothing else: what a row of the table is held against. */
export interface Limits {
  /** Multiply-adds in float32, two operations each. */
  gflops: number;
  /** Bytes read and written by a copy that no cache holds. */
  gigabytesPerSecond: number;
  /** A kernel of one workgroup that waits for the one before it, in the same pass. */
  dispatchMicroseconds: number;
  /** From submit to the mapped result of an empty submission. */
  roundTripMs: number;
}

const accumulators = 8;
/** Written as fma() and as a product and a sum: which is quicker differs between drivers. */
const forms = [(a: string) => `${a} = fma(${a}, x, x);`, (a: string) => `${a} = ${a} * x + x;`];
const multiplyAdd = (form: (a: string) => string) => /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> result: array<f32>;
@group(0) @binding(1) var<uniform> loops: vec4<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let x = vec4<f32>(0.999 + f32(id.x & 7u) * 1e-5);
  ${Array.from({ length: accumulators }, (_, i) => `var a${i} = vec4<f32>(${i}.5);`).join(" ")}
  for (var i = 0u; i < loops.x; i++) {
    ${Array.from({ length: accumulators }, (_, i) => form(`a${i}`)).join(" ")}
  }
  let sum = ${Array.from({ length: accumulators }, (_, i) => `a${i}`).join(" + ")};
  result[id.x & 1023u] = sum.x + sum.y + sum.z + sum.w;
}`;

const copy = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> to: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> origin: array<vec4<f32>>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let size = arrayLength(&to);
  for (var i = id.x; i < size; i += groups.x * 256u) { to[i] = origin[i]; }
}`;

const tiny = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> value: array<f32>;
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) { value[id.x] += 1.0; }`;

export async function measureLimits(gpu: GPU): Promise<Limits | null> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return null;
  const device = await adapter.requestDevice();
  const software = adapter.info.isFallbackAdapter;
  try {
    const roundTripMs = await least(9, () => timed(device, () => {}));
    let gflops = 0;
    for (const form of forms) gflops = Math.max(gflops, await multiplyAdds(device, software ? 64 : 8192, form));
    const gigabytesPerSecond = await copies(device, software ? 2 ** 25 : 2 ** 27);
    const dispatchMicroseconds = await dispatches(device, roundTripMs);
    return { gflops, gigabytesPerSecond, dispatchMicroseconds, roundTripMs };
  } finally {
    device.destroy();
  }
}

function kernel(device: GPUDevice, code: string, buffers: GPUBuffer[]): (pass: GPUComputePassEncoder) => void {
  const pipeline = device.createComputePipeline({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }) },
  });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  return (pass) => {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
  };
}

async function multiplyAdds(device: GPUDevice, workgroups: number, form: (a: string) => string): Promise<number> {
  const result = device.createBuffer({ size: 4096, usage: GPUBufferUsage.STORAGE });
  const loops = device.createBuffer({ size: 16, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
  const set = kernel(device, multiplyAdd(form), [result, loops]);
  const runs = (count: number) => {
    device.queue.writeBuffer(loops, 0, Uint32Array.of(count, 0, 0, 0));
    return timed(device, (pass) => {
      set(pass);
      pass.dispatchWorkgroups(workgroups);
    });
  };
  const count = await enough((count) => runs(count), 256);
  const ms = await least(5, () => runs(count));
  return (workgroups * 64 * accumulators * 4 * 2 * count) / (ms * 1e6);
}

async function copies(device: GPUDevice, sizeBytes: number): Promise<number> {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const [to, from] = [device.createBuffer({ size: sizeBytes, usage }), device.createBuffer({ size: sizeBytes, usage })];
  device.queue.writeBuffer(
    from,
    0,
    Float32Array.from({ length: sizeBytes / 4 }, (_, i) => i % 251),
  );
  const set = kernel(device, copy, [to, from]);
  const runs = (count: number) =>
    timed(device, (pass) => {
      set(pass);
      for (let i = 0; i < count; i++) pass.dispatchWorkgroups(Math.min(65_535, sizeBytes / 16 / 256));
    });
  const count = await enough(runs, 1);
  const ms = await least(5, () => runs(count));
  to.destroy();
  from.destroy();
  return (2 * sizeBytes * count) / (ms * 1e6);
}

async function dispatches(device: GPUDevice, emptyMs: number): Promise<number> {
  const value = device.createBuffer({ size: 128, usage: GPUBufferUsage.STORAGE });
  const set = kernel(device, tiny, [value]);
  const runs = (count: number) =>
    timed(device, (pass) => {
      set(pass);
      for (let i = 0; i < count; i++) pass.dispatchWorkgroups(1);
    });
  const count = await enough(runs, 64);
  const ms = await least(5, () => runs(count));
  return ((ms - emptyMs) * 1000) / count;
}

/** Doubles the amount of work until it takes 40 ms. */
async function enough(run: (count: number) => Promise<number>, first: number): Promise<number> {
  await run(1); // compiles
  for (let count = first; ; count *= 2) if ((await run(count)) >= 40 || count >= 2 ** 22) return count;
}

async function timed(device: GPUDevice, record: (pass: GPUComputePassEncoder) => void): Promise<number> {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  record(pass);
  pass.end();
  const commands = encoder.finish();
  const begun = performance.now();
  device.queue.submit([commands]);
  await device.queue.onSubmittedWorkDone();
  return performance.now() - begun;
}

/** A limit is what is reached at best, so that another program's share of the machine does not lower it. */
async function least(times: number, run: () => Promise<number>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < times; i++) best = Math.min(best, await run());
  return best;
}

/** The better of two measurements. */
export function betterOf(a: Limits | null, b: Limits | null): Limits | null {
  if (!a || !b) return a ?? b;
  return {
    gflops: Math.max(a.gflops, b.gflops),
    gigabytesPerSecond: Math.max(a.gigabytesPerSecond, b.gigabytesPerSecond),
    dispatchMicroseconds: Math.min(a.dispatchMicroseconds, b.dispatchMicroseconds),
    roundTripMs: Math.min(a.roundTripMs, b.roundTripMs),
  };
}
