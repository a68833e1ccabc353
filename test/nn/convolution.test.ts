import { describe, expect, test } from "vitest";
import {
  avgPool2d,
  conv1d,
  conv2d,
  convTranspose2d,
  input,
  maxPool2d,
  open,
  reference,
  type Shape,
  sequential,
  sgd,
  squaredError,
  type Tensor,
  trainer,
} from "../../src/index";
import { normal } from "../graph/numbers";

type Weights = Record<string, Tensor>;

describe("layers of images", () => {
  const cases: [
    string,
    Parameters<typeof sequential>[1],
    Shape,
    Record<string, Shape>,
    (x: Tensor, w: Weights) => Tensor,
  ][] = [
    [
      "conv2d, its activation a module, and a pool",
      [
        conv2d(4, 3, { padding: "same", activation: "relu" }),
        maxPool2d(2),
        conv2d(2, [1, 2], { groups: 2, bias: false }),
      ],
      [2, 6, 5],
      { "0.weight": [4, 2, 3, 3], "0.bias": [4], "3.weight": [2, 2, 1, 2] },
      (x, w) =>
        x
          .conv(w["0.weight"] as Tensor, { padding: 1 })
          .add((w["0.bias"] as Tensor).reshape([4, 1, 1]))
          .relu()
          .maxPool(2)
          .conv(w["3.weight"] as Tensor, { groups: 2 }),
    ],
    [
      "conv1d, stride and dilation",
      [conv1d(3, 2, { stride: 2, dilation: 3, padding: 1 })],
      [2, 9],
      { "0.weight": [3, 2, 2], "0.bias": [3] },
      (x, w) =>
        x
          .conv(w["0.weight"] as Tensor, { stride: 2, dilation: 3, padding: 1 })
          .add((w["0.bias"] as Tensor).reshape([3, 1])),
    ],
    [
      "convTranspose2d after a mean",
      [avgPool2d(2, { stride: 1, padding: 1 }), convTranspose2d(3, 3, { stride: 2, padding: 1, outputPadding: 1 })],
      [2, 3, 4],
      { "1.weight": [2, 3, 3, 3], "1.bias": [3] },
      (x, w) =>
        x
          .avgPool(2, { stride: 1, padding: 1 })
          .convTranspose(w["1.weight"] as Tensor, { stride: 2, padding: 1, outputPadding: 1 })
          .add((w["1.bias"] as Tensor).reshape([3, 1, 1])),
    ],
  ];
  test.each(cases)("%s: shapes, PyTorch's names, and what it predicts", async (_name, layers, shape, held, build) => {
    const model = sequential(shape, layers, { seed: 3 });
    expect(model.parameters).toEqual(held);
    const rows = 3;
    const x = input([rows, ...shape]);
    const tensors = Object.fromEntries(Object.entries(held).map(([name, each]) => [name, input(each)]));
    const program = { inputs: { x, ...tensors }, parameters: {}, outputs: { y: build(x, tensors) } };
    const device = await open({ backend: "cpu" });
    const fitting = await trainer(device, model, {
      loss: squaredError(),
      optimizer: sgd({ lr: 0.01 }),
      batchSize: rows,
    });
    const values = normal(rows * shape.reduce((a, b) => a * b, 1), 5);
    const weights = await fitting.weights();
    const wanted = reference(program).run({ x: values, ...weights }).y as Float64Array;
    const got = await fitting.predict(values);
    expect(got.length).toBe(wanted.length);
    for (const [i, value] of wanted.entries()) expect(Math.abs((got[i] as number) - value)).toBeLessThan(1e-5);
    fitting.dispose();
    device.close();
  });

  test("misuse says what would be right", () => {
    expect(() => sequential([2, 6], [conv2d(4, 3)])).toThrow("conv2d takes [C, height, width], and is given [2, 6]");
    expect(() => sequential([2, 6, 6], [conv2d(4, 7)])).toThrow("a kernel of [7, 7] does not fit [2, 6, 6]");
    expect(() => sequential([3, 6, 6], [conv2d(4, 3, { groups: 2 })])).toThrow("3 channels in 2 groups");
    expect(() => conv2d(3, 3, { groups: 2 })).toThrow("groups is 2 for 3 filters");
    expect(() => conv2d(3, 3, { padding: "same", stride: 2 })).toThrow('padding "same" with a stride of 2');
    expect(() => convTranspose2d(3, 3, { outputPadding: 1 })).toThrow("outputPadding is 1");
    expect(() => maxPool2d(3, { padding: 2 })).toThrow("at most half");
  });
});
