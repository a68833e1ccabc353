import { expect, test } from "vitest";
import { type Device, input, open } from "../../src/index";
import { expectInOrder } from "../support/scatter-order";
import { expectUpdates } from "../support/scatter-updates";
import { openOther } from "./other-device";

type Opened = Pick<Device, "compile" | "close">;

const DEVICES: Record<string, () => Promise<Opened>> = {
  "the recorded route": () => open({ backend: "webgpu", route: "recorded", tuning: null }),
  "the persistent route": () => open({ backend: "webgpu", route: "persistent", tuning: null }),
  "the kernels of the other kind of device": () => openOther({ route: "recorded" }),
  "an adapter that ends a thread's loops early": () => openOther({ route: "recorded", maxTurns: 64 }),
};

test.each(Object.keys(DEVICES))("values are added to a row in the order of their indices, by %s", async (name) => {
  const device = await (DEVICES[name] as () => Promise<Opened>)();
  await expectInOrder(device);
  device.close();
});

test.each(Object.keys(DEVICES).slice(0, 3))(
  "tables are changed in place, and whatever reads them, by %s",
  async (name) => {
    const device = await (DEVICES[name] as () => Promise<Opened>)();
    await expectUpdates(
      device,
      name === "the recorded route"
        ? [
            [1, 1],
            [5, 3],
          ]
        : [[5, 3]],
    );
    device.close();
  },
);

test("what follows a scatter that takes several dispatches is done once, after the last", async () => {
  const device = await openOther({ route: "recorded", maxTurns: 64 });
  const [x, i, v] = [input([3]), input([900], "int32"), input([900])];
  const y = x.scatterAdd(i, v);
  const session = await device.compile({
    inputs: { x, i, v },
    parameters: {},
    outputs: { y: y.mul(2).add(1), sum: y.sum() },
  });
  const index = Int32Array.from({ length: 900 }, (_, k) => k % 3);
  const { y: got, sum } = await session.run({ x: [1, 2, 3], i: index, v: new Float32Array(900).fill(1) });
  expect(got).toEqual(Float32Array.of(603, 605, 607));
  expect(sum).toEqual(Float32Array.of(906));
  session.dispose();
  device.close();
});
