import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Device, open } from "../../src/index";
import { type Lengths, seedRuns } from "./seed-runs";

// In full once each; what grad() makes of the dear ones in part, since the plan is the same kernels over again.
const WEBGPU: Lengths = {
  "seed-000": { handwritten: 500, grad: 500 },
  "seed-002": { handwritten: 500, grad: 100 },
  "seed-004": { handwritten: 20, grad: 2 },
  "seed-004-h1": { handwritten: 20, grad: 2 },
};

describe("the seed programs on WebGPU", () => {
  let device: Device;
  beforeAll(async () => {
    device = await open({ backend: "webgpu" });
  });
  afterAll(() => device?.close());

  test("run on a WebGPU device", () => expect(device.backend).toBe("webgpu"));

  seedRuns(() => device, WEBGPU);
});
