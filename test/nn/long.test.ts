import { expect, test } from "vitest";
import { adam, dense, open, sequential, squaredError, trainer } from "../../src/index";

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
