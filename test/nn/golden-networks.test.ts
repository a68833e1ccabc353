import { expect, test } from "vitest";
import { open } from "../../src/index";
import { NETWORKS, train } from "../support/golden-networks";

test.each(Object.keys(NETWORKS))("%s trains as PyTorch's, and its file has PyTorch's names", async (name) => {
  const device = await open({ backend: "cpu" });
  const { first, losses, predictions, saved, names } = await train(device, name);
  expect(first).toBeLessThan(3e-6);
  expect(losses).toBeLessThan(1);
  expect(predictions).toBeLessThan(1);
  for (const [array, off] of Object.entries(saved)) expect(off, array).toBeLessThan(1e-3);
  expect(names[0].filter((each) => !each.endsWith("num_batches_tracked"))).toEqual(names[1]);
  device.close();
});
