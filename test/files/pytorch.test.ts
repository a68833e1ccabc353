import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readOnnx, writeOnnx } from "../../src/files/onnx";
import { type PyTorchOptions, writePyTorch } from "../../src/files/pytorch";
import { readSafetensors } from "../../src/files/safetensors";
import {
  adam,
  batchNorm,
  type Device,
  defineLayer,
  defineLoss,
  dense,
  type Layer,
  moons,
  open,
  sequential,
  softmaxCrossEntropy,
  type Trainer,
  type TrainerOptions,
  trainer,
} from "../../src/index";

let device: Device;
beforeAll(async () => {
  device = await open({ backend: "cpu" });
});
afterAll(() => device.close());

const data = moons(20, { seed: 1 });
const trained = (layers: readonly Layer[] = [dense(2)], options: Partial<TrainerOptions> = {}): Promise<Trainer> =>
  trainer(device, sequential(2, layers), {
    loss: softmaxCrossEntropy(),
    optimizer: adam({ lr: 0.01 }),
    batchSize: 8,
    ...options,
  });
const scriptOf = async (net: Trainer, options: PyTorchOptions = { epochs: 2 }) =>
  new TextDecoder().decode((await writePyTorch(net, data, options))["train.py"]);

describe("what has no counterpart in PyTorch is refused by name", () => {
  test.each([
    [
      "a layer",
      () => trained([defineLayer("swish", { apply: (x) => x.mul(x.sigmoid()) }), dense(2)]),
      /the layer swish is of your own.*load_state_dict/,
    ],
    [
      "a loss",
      () => trained([dense(1)], { loss: defineLoss("margin", (p, t) => p.sub(t).abs().sum(1)) }),
      /the loss margin is of your own.*terms\(\) of train\.py/,
    ],
    [
      "a rate",
      () => trained([dense(2)], { optimizer: adam({ lr: (step) => 1 / (step + 1) }) }),
      /learning rate is a function of your own.*cosineDecay/,
    ],
    [
      "a network of a file",
      () =>
        trained([
          readOnnx(
            writeOnnx(
              { inputs: 2, layers: [{ name: "dense", units: 3 }] },
              { "0.weight": [1, 2, 3, 4, 5, 6], "0.bias": [0, 0, 0] },
            ),
          ),
          dense(2),
        ]),
      /was read from an ONNX file/,
    ],
  ] as const)("%s", async (_what, make, message) => {
    const net = await make();
    await expect(writePyTorch(net, data, { epochs: 1 })).rejects.toThrow(message);
  });

  test("what only wgrad's fit does, and a fit that began with it", async () => {
    const net = await trained();
    await expect(
      writePyTorch(net, data, { epochs: 1, earlyStopping: { patience: 1 } } as PyTorchOptions),
    ).rejects.toThrow(/no option "earlyStopping"/);
    await net.fit(data, { epochs: 4, reduceOnPlateau: { factor: 0.5, patience: 2 }, onEpoch: () => "stop" });
    await expect(writePyTorch(net, data, { epochs: 4 })).rejects.toThrow(/reduceOnPlateau, which train\.py has not/);
  });

  test("a fit of other data or options than that which goes on, and one that runs", async () => {
    const net = await trained();
    await (await net.begin(data, { seed: 5 })).advance(2);
    await expect(writePyTorch(net, data, { epochs: 4, seed: 6 })).rejects.toThrow(/seed was 5; here it is 6/);
    await expect(writePyTorch(net, { x: [1, 2], y: [5] }, { epochs: 4 })).rejects.toThrow(/class in row 0 of y is 5/);
    const running = net.fit(data, { epochs: 2 });
    await expect(writePyTorch(net, data, { epochs: 4 })).rejects.toThrow(/a fit of this trainer is running/);
    await running;
    await expect(writePyTorch(net, data, {})).rejects.toThrow(/^writePyTorch: epochs is undefined and steps undefined/);
    await expect(writePyTorch({} as Trainer, data, { epochs: 4 })).rejects.toThrow(/must come from trainer\(\)/);
  });
});

test("the script has the network, what is frozen and how long the fit is; a layer's class only where it is used", async () => {
  const layers = [dense(4, { activation: "tanh", l2: 0.25 }), batchNorm(), dense(2)];
  const script = await scriptOf(await trained(layers, { frozen: ["0", "2.running_mean"], clipNorm: 2 }));
  expect(script).toContain(`def network():
    return nn.Sequential(
        nn.Linear(2, 4, bias=True),
        nn.Tanh(),
        BatchNorm(4, eps=0.00001, momentum=0.1, frozen=True),
        nn.Linear(4, 2, bias=True),
    )`);
  expect(script).toContain("STEPS = 6\n");
  expect(script).toContain('FROZEN = {"0.weight", "0.bias"}');
  expect(script).toContain('L2 = {"0.weight": 0.25}');
  expect(script).toContain("CLIP_NORM = 2\n");
  expect(script).toContain("class BatchNorm(nn.Module):");
  expect(script).not.toContain("class RMSNorm");
  expect(await scriptOf(await trained())).not.toContain("class BatchNorm");
});

test("the files beside it are the data and the trainer's own checkpoint", async () => {
  const net = await trained();
  await net.fit(data, { steps: 2 });
  const files = await writePyTorch(net, data, { epochs: 2, sampleWeights: new Float32Array(20).fill(0.5) });
  expect(files["checkpoint.safetensors"]).toEqual(await net.checkpoint());
  const { x, y, weights } = readSafetensors(files["data.safetensors"]);
  expect([x?.shape, x?.values]).toEqual([[20, 2], Float32Array.from(data.x)]);
  expect([y?.dtype, y?.shape, y?.values]).toEqual(["I32", [20, 1], Int32Array.from(data.y)]);
  expect(weights?.values).toEqual(new Float32Array(20).fill(0.5));
});
