import { afterAll, beforeAll, describe, test } from "vitest";
import { type Device, open } from "../../src/index";
import { agreesWithRowsAlone, NETWORKS } from "../support/last-batch";

describe.each(["recorded", "persistent"] as const)("%s", (route) => {
  let device: Device;
  beforeAll(async () => {
    device = await open({ backend: "webgpu", route });
  });
  afterAll(() => device.close());

  // A recurrence takes a minute of compiling here, and is tried on the CPU.
  test.each(Object.entries(NETWORKS).filter(([name]) => name !== "a recurrence"))(
    "a smaller last batch of %s is of its own rows alone",
    (_, network) => agreesWithRowsAlone(device, network),
  );
});
