import { expect, test } from "vitest";
import { open } from "../../src/index";
import { readGolden } from "../support/golden";
import { relativeError } from "../support/parity";
import { predictionOf, TORCH_NETWORKS, torchNetwork } from "../support/torch-networks";

test.each(TORCH_NETWORKS)("%s, as PyTorch exported it, gives what PyTorch's float64 does", async (name) => {
  const device = await open({ backend: "webgpu", route: "recorded", tuning: null });
  const golden = (await readGolden("torch-networks")).group(name);
  const { program, weights } = predictionOf(await torchNetwork(name), 2);
  const session = await device.compile(program);
  session.write(weights);
  const { prediction } = await session.run({ x: golden.x as Float32Array });
  expect(relativeError(prediction as Float32Array, golden.y as Float64Array)).toBeLessThan(3e-6);
  device.close();
});
