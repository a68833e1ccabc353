import { afterAll, beforeAll, describe } from "vitest";
import { type Device, open } from "../../src/index";
import { type Lengths, seedRuns } from "./seed-runs";

// The fallback device is the float64 reference behind a session's calls; the whole runs are in seeds.test.ts.
const CPU: Lengths = {
  "seed-000": { handwritten: 20, grad: 20 },
  "seed-002": { handwritten: 20, grad: 20 },
  "seed-004": { handwritten: 2, grad: 2 },
  "seed-004-h1": { handwritten: 2, grad: 2 },
};

describe("the seed programs on the CPU device", () => {
  let device: Device;
  beforeAll(async () => {
    device = await open({ backend: "cpu" });
  });
  afterAll(() => device?.close());

  seedRuns(() => device, CPU);
});
