import { afterAll, beforeAll, test } from "vitest";
import { type Device, open } from "../../src/index";
import { agreesWithRowsAlone, NETWORKS } from "../support/last-batch";

let device: Device;
beforeAll(async () => {
  device = await open({ backend: "cpu" });
});
afterAll(() => device.close());

test.each(Object.entries(NETWORKS))("a smaller last batch of %s is of its own rows alone", (_, network) =>
  agreesWithRowsAlone(device, network),
);
