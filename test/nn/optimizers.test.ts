import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  adam,
  cosineDecay,
  type Device,
  grad,
  input,
  open,
  parameter,
  reference,
  ShapeError,
  sgd,
} from "../../src/index";
import { relativeError } from "../support/parity";
import { inputs, ownProgram, RULES, STEPS, trained } from "./optimizers";

let device: Device;
beforeAll(async () => {
  device = await open({ backend: "cpu" });
});
afterAll(() => device.close());

describe("an optimizer in a program of one's own", () => {
  test.each(Object.keys(RULES))("%s: the bits of the trainer, and float64's values", async (name) => {
    const [optimizer, options = {}] = RULES[name] as (typeof RULES)[string];
    const { first, last, loss } = await trained(device, optimizer, options.clipNorm);
    const program = ownProgram(optimizer, options);
    const session = await device.compile(program);
    session.write(first);
    // In two runs: the state goes on.
    const halves = [await session.run(inputs, { steps: 15 }), await session.run(inputs, { steps: STEPS - 15 })];
    expect(Float32Array.from(halves.flatMap((half) => [...(half.loss ?? [])]))).toEqual(loss);
    for (const [weight, values] of Object.entries(last)) expect(await session.read(weight)).toEqual(values);
    session.dispose();

    const judge = reference(program);
    judge.write(first);
    const exact = judge.run(inputs, { steps: STEPS });
    expect(relativeError(loss, exact.loss as Float64Array)).toBeLessThan(2e-5);
  });

  test("a rate that is an input of each step", async () => {
    const lr = input([]);
    const program = ownProgram(adam(), { lr }, { lr });
    const session = await device.compile(program);
    const { first, loss } = await trained(device, adam({ lr: cosineDecay(0.02, STEPS) }));
    session.write(first);
    const losses: number[] = [];
    for (let step = 0; step < STEPS; step++) {
      const { loss } = await session.run({ ...inputs, lr: [cosineDecay(0.02, STEPS)(step)] });
      losses.push(loss?.[0] as number);
    }
    expect(relativeError(losses, loss)).toBeLessThan(1e-6); // the rate is rounded before it is corrected
    session.dispose();
  });

  test("keeps nothing that does not change, and counts no further than anything changes", async () => {
    const w = parameter([2]);
    const gradients = grad(w.square().sum(), [w]);
    expect(Object.keys(sgd({ lr: 0.1 }).update({ w }, gradients).state)).toEqual([]);
    expect(Object.keys(adam().update({ w }, gradients).state)).toEqual(["m.w", "v.w", "optimizer.step"]);
    const { state, updates } = adam({ beta1: 0.5, beta2: 0.5 }).update({ w }, gradients);
    const session = await device.compile({
      inputs: {},
      parameters: { w, ...state },
      outputs: { counted: state["optimizer.step"]?.add(0) as typeof w },
      updates,
    });
    const { counted } = await session.run({}, { steps: 40 });
    expect([counted?.[1], counted?.[20], counted?.[39]]).toEqual([1, 20, 24]); // of 1 / (1 - 2^-25), at the step after, float32 makes 1
    session.dispose();
  });

  test("names what does not fit", () => {
    const w = parameter([2]);
    const b = parameter([3]);
    const [gw, gb] = grad(w.sum().add(b.sum()), [w, b]) as [typeof w, typeof w];
    const update =
      (...args: unknown[]) =>
      () =>
        Reflect.apply(adam().update, adam(), args);
    expect(update({ w, b }, [gb, gw])).toThrow(ShapeError);
    expect(update({ w, b }, [gb, gw])).toThrow('adam: update: "w" is [2] and its gradient [3]; they must be equal');
    expect(update({ w, b }, [gw])).toThrow("the gradients are an array of 1 for 2 parameters");
    expect(update([w], [gw])).toThrow("the parameters are an array of 1");
    expect(update({ w }, [gw], { lr: 0.1 })).toThrow("lr is 0.1; it must be a float32 tensor of shape []");
    expect(update({ w }, [gw], { rate: 1 })).toThrow('there is no option "rate"');
    expect(update({ w, "m.w": w }, [gw, gw])).toThrow(
      '"m.w" names a parameter, and is the name of the optimizer\'s own',
    );
    expect(() => sgd({ lr: () => 0.1 }).update({ w }, [gw])).toThrow("say how many `steps`");
    expect(() => adam({ lr: () => -1 }).update({ w }, [gw], { steps: 3 })).toThrow("the learning rate at step 0 is -1");
    expect(() => adam({ beta2: 0.9999999 }).update({ w }, [gw])).toThrow("take a smaller beta2");
  });
});
