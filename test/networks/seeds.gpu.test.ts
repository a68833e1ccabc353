import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Device, open } from "../../src/index";
import { type Lengths, seedRuns } from "./seed-runs";

// On a software adapter 500 steps take 10 s and more: each form and each of the two data in full once. seed-004's two forms
// are the same program in float32 up to rounding, and one goes to the end.
const WEBGPU: Lengths = {
  "seed-000": { handwritten: 500, grad: 100 },
  "seed-002": { handwritten: 100, grad: 500 },
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
