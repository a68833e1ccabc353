import { expect, test } from "vitest";
import {
  adam,
  dense,
  embedding,
  layerNorm,
  multiHeadAttention,
  open,
  positionEmbedding,
  residual,
  sequential,
  softmaxCrossEntropy,
  squaredError,
  trainer,
} from "../../src/index";

test("50,000 steps of Adam take no more memory than the first, and end where the minimum is", async () => {
  const device = await open({ backend: "cpu" });
  const model = sequential(1, [dense(1, { activation: "tanh" })]);
  const trained = await trainer(device, model, { loss: squaredError(), optimizer: adam({ lr: 1e-3 }) });
  const x = Float32Array.of(-1, -0.5, 0.5, 1);
  const y = x.map(Math.tanh);
  // As many steps as one run may have, so that what follows is run by the same session.
  await trained.fit({ x, y }, { steps: 2 ** 14 });
  const before = JSON.stringify(device.memory());
  const memory = new Set<string>();
  const { loss } = await trained.fit(
    { x, y },
    { steps: 50_000, every: 100, onProgress: () => memory.add(JSON.stringify(device.memory())) },
  );
  expect(loss.length).toBe(500);
  expect(loss[499]).toBeLessThan(1e-7);
  expect([...memory]).toEqual([before]);
  expect(JSON.stringify(device.memory())).toBe(before);
});

test("10,000 steps of a GPT take no more memory than the first, on the device and beside it", async () => {
  const device = await open({ backend: "cpu" });
  const layers = [
    embedding(5, 4),
    positionEmbedding(),
    residual([layerNorm(), multiHeadAttention(2, { causal: true })]),
    layerNorm(),
    dense(5),
  ];
  const trained = await trainer(device, sequential([6], layers), {
    loss: softmaxCrossEntropy(),
    optimizer: adam({ lr: 3e-3 }),
    batchSize: 4,
  });
  const tokens = Int32Array.from({ length: 10 * 7 }, (_, i) => (3 * i + Math.floor(i / 7)) % 5);
  const [x, y] = [0, 1].map((from) =>
    Int32Array.from({ length: 10 * 6 }, (_, i) => tokens[7 * Math.floor(i / 6) + (i % 6) + from] as number),
  ) as [Int32Array, Int32Array];
  const seen: { device: string; arrays: number }[] = [];
  for (let i = 0; i < 5; i++) {
    const { loss } = await trained.fit({ x, y }, { steps: 2000, every: 100 });
    expect(loss.every(Number.isFinite)).toBe(true);
    seen.push({ device: JSON.stringify(device.memory()), arrays: process.memoryUsage().arrayBuffers });
  }
  expect(new Set(seen.map(({ device }) => device)).size).toBe(1);
  // Histories come and go; what was kept of 2,000 steps each time would be as much again.
  expect((seen[4]?.arrays as number) - (seen[1]?.arrays as number)).toBeLessThan(2 ** 21);
});
