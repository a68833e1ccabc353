import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Device, open } from "../../src/index";
import { type Lengths, seedRuns } from "./seed-runs";

/** In Chrome 500 steps take a software adapter 15 s, in the other runtimes, whose adapter is llvmpipe, 70: there they go a fifth of the way. */
const FULL = /Chrome/.test(navigator.userAgent) ? 500 : 100;
// Each form and each of the two data in full once. seed-004's two forms are the same program in float32 up to rounding.
const WEBGPU: Lengths = {
  "seed-000": { handwritten: FULL, grad: 100 },
  "seed-002": { handwritten: 100, grad: FULL },
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
