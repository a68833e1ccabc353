import { afterEach, expect, test, vi } from "vitest";
import { adam, dense, dropout, moons, open, sequential, softmaxCrossEntropy, trainer } from "../../src/index";
import { Session } from "../../src/session";
import { witnessed } from "../support/lost-device";

afterEach(() => vi.restoreAllMocks());

const DATA = moons(20, { noise: 0.2 });
/** Small, since it is compiled many times; on the CPU more is tried. */
const network = () => sequential(2, [dense(4), dropout(0.2), dense(2)], { seed: 1 });
const OPTIONS = { loss: softmaxCrossEntropy(), optimizer: adam({ lr: 0.02 }), batchSize: 8 };

/** A trainer on the WebGPU of this machine, and what ends its device in the middle of the first run from a step on. */
async function made(route: "recorded" | "persistent") {
  const seen = witnessed();
  const device = await open({ backend: "webgpu", gpu: seen.gpu, route, tuning: null });
  const net = await trainer(device, network(), OPTIONS);
  const ending = (...steps: number[]) => {
    const run = Session.prototype.runAndRead;
    vi.spyOn(Session.prototype, "runAndRead").mockImplementation(function (this: Session, inputs, given) {
      const running = run.call(this, inputs, given);
      if (this === net.session && net.steps >= (steps[0] ?? Infinity)) {
        steps.shift();
        seen.devices.at(-1)?.destroy();
      }
      return running;
    });
  };
  return { seen, net, device, ending };
}

test.each([
  ["recorded", [10]],
  ["persistent", [0, 16]],
] as const)(
  "a fit whose WebGPU device is destroyed goes on on another, as it was opened, with the same bits: %s",
  async (route, steps) => {
    const [undisturbed, disturbed] = [await made(route), await made(route)];
    const options = { epochs: 10, seed: 3 };
    const whole = await undisturbed.net.fit(DATA, options);
    disturbed.ending(...steps);
    const { net, seen } = disturbed;
    const history = await net.fit(DATA, { ...options, recover: { everySeconds: 0 } });
    expect(history.recovered?.map(({ device }) => device.backend)).toEqual(steps.map(() => "webgpu"));
    expect(history.recovered?.[0]?.reason).toMatch(/^destroyed: /);
    expect(seen.devices).toHaveLength(steps.length + 1);
    expect(net.session.explain()).toContain(`route: ${route}`);
    expect(history.loss).toEqual(whole.loss);
    expect(await net.checkpoint()).toEqual(await undisturbed.net.checkpoint());
    expect(await net.predict(DATA.x)).toEqual(await undisturbed.net.predict(DATA.x));
    const { device } = net;
    expect(device).not.toBe(disturbed.device);
    net.dispose();
    expect((await device.lost).reason).toBe("destroyed");
    undisturbed.device.close();
  },
);

test("where no WebGPU comes back, the CPU takes over", async () => {
  const { seen, net, ending } = await made("recorded");
  ending(10);
  seen.barred = true;
  const { recovered, loss } = await net.fit(DATA, { epochs: 6, seed: 3, recover: { everySeconds: 0 } });
  expect(recovered?.map(({ device }) => device.backend)).toEqual(["cpu"]);
  expect(net.device.backend).toBe("cpu");
  expect(loss).toHaveLength(18);
  const other = await trainer(await open({ backend: "cpu" }), network(), OPTIONS);
  // Another kind of device rounds otherwise, and trains the same network.
  const { loss: wanted } = await other.fit(DATA, { epochs: 6, seed: 3 });
  expect([...loss]).toEqual(Array.from(wanted, (value) => expect.closeTo(value, 4)));
  net.dispose();
  other.device.close();
});
