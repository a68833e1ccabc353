import { expect, test } from "vitest";

async function requestDevice(): Promise<GPUDevice> {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error("No WebGPU adapter in this browser; the GPU tests need one and do not pass without.");
  return adapter.requestDevice();
}

test("this browser has a WebGPU adapter", async () => {
  const device = await requestDevice();
  expect(device.limits.maxComputeInvocationsPerWorkgroup).toBeGreaterThanOrEqual(256);
  device.destroy();
});

test("a compute shader of one line runs and its result comes back", async () => {
  const device = await requestDevice();
  const code = `
    @group(0) @binding(0) var<storage, read_write> out: array<f32>;
    @compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) { out[id.x] = f32(id.x) * 1.5; }`;
  const pipeline = await device.createComputePipelineAsync({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }) },
  });
  const out = device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const back = device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer: out } }],
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(out, 0, back, 0, 16);
  device.queue.submit([encoder.finish()]);
  await back.mapAsync(GPUMapMode.READ);
  expect([...new Float32Array(back.getMappedRange())]).toEqual([0, 1.5, 3, 4.5]);
  device.destroy();
});

test("a golden file reaches the browser byte for byte", async () => {
  const answer = await fetch(new URL("../golden/seed-004.safetensors", import.meta.url));
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const headerBytes = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
  expect(header["init.X"].shape).toEqual([200, 2]);
  expect(bytes.length).toBe(3940);
});
