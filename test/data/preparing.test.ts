import * as ort from "onnxruntime-web";
import { describe, expect, test } from "vitest";
import { writeOnnx } from "../../src/files/onnx";
import {
  confusionMatrix,
  dense,
  open,
  randomState,
  sequential,
  sgd,
  splitDataset,
  squaredError,
  standardize,
  trainer,
} from "../../src/index";
import { ShapeError } from "../../src/util/errors";

describe("splitDataset", () => {
  const x = Float32Array.from({ length: 40 }, (_, i) => i);
  const y = Int32Array.from({ length: 20 }, (_, i) => (i < 15 ? 0 : 1));

  test("parts the rows by shares, each in one part, x with its y", () => {
    const [train, rest, last] = splitDataset({ x, y }, [0.5, 0.25, 0.25], { seed: 3 });
    expect([train, rest, last].map((part) => part?.y.length)).toEqual([10, 5, 5]);
    const seen = [train, rest, last].flatMap((part) => {
      expect(part?.x).toBeInstanceOf(Float32Array);
      expect(part?.y).toBeInstanceOf(Int32Array);
      return Array.from(part?.y ?? [], (kind, i) => {
        const first = part?.x[2 * i] as number;
        expect([part?.x[2 * i + 1], kind]).toEqual([first + 1, first / 2 < 15 ? 0 : 1]);
        return first / 2;
      });
    });
    expect(seen).toEqual([...randomState(3).permutation(20)]);
    expect(splitDataset({ x, y }, [0.5, 0.25, 0.25], { seed: 3 })[0]).toEqual(train);
    expect(splitDataset({ x, y }, [0.1, 0.2]).map((part) => part.y.length)).toEqual([2, 4]);
  });

  test("keeps the shares of the classes where it stratifies", () => {
    for (const seed of [0, 1, 2]) {
      const parts = splitDataset({ x, y }, [0.6, 0.4], { seed, stratify: true });
      expect(parts.map((part) => [part.y.length, part.y.filter((kind) => kind === 1).length])).toEqual([
        [12, 3],
        [8, 2],
      ]);
    }
  });

  test("takes arrays of rows, and several numbers a row of y", () => {
    const rows = Array.from({ length: 4 }, (_, i) => [i, -i]);
    const nested = splitDataset({ x: rows, y: rows }, [0.5, 0.5]);
    expect(nested[0]?.x).toEqual(nested[0]?.y);
    const flat = splitDataset({ x, y: x }, [0.5, 0.5], { rows: 10 });
    expect(flat[1]?.x).toEqual(flat[1]?.y);
    expect(flat[1]?.x).toHaveLength(20);
  });

  test("refuses what cannot be parted, with the numbers", () => {
    const split =
      (shares: number[], options = {}, data: object = { x, y }) =>
      () =>
        splitDataset(data as never, shares, options);
    expect(split([0.7, 0.7])).toThrow("shares are [0.7, 0.7]; they must be above 0 and add up to 1 at most");
    expect(split([])).toThrow(RangeError);
    expect(split([0.5, -0.5])).toThrow(RangeError);
    expect(split([0.99, 0.01])).toThrow("a share of 0.01 of 20 rows has none");
    expect(split([0.5], { rows: 7 })).toThrow(ShapeError);
    expect(split([0.5], {}, { x: x.slice(1), y })).toThrow("x has 39 numbers, and there are 20 rows");
    expect(split([0.5], { rows: 10, stratify: true })).toThrow(
      "stratify is for one class a row; y has 20 numbers for 10",
    );
    expect(split([0.5], {}, { x, y: null })).toThrow("y is null; it must be an array");
  });
});

describe("standardize", () => {
  const rows = 50;
  const raw = Float64Array.from(
    randomState(1).randn(rows * 3),
    (value, i) => ([1e6, -2, 7][i % 3] as number) + value * ([0.5, 100, 0][i % 3] as number),
  );

  test("columns have mean 0 and deviation 1; one that is always the same is 0", () => {
    const { mean, deviation, apply } = standardize(raw, 3);
    const x = apply(raw);
    for (const column of [0, 1]) {
      const values = [...x].filter((_, i) => i % 3 === column);
      const average = values.reduce((sum, value) => sum + value, 0) / rows;
      expect(Math.abs(average)).toBeLessThan(1e-6);
      expect(values.reduce((sum, value) => sum + (value - average) ** 2, 0) / rows).toBeCloseTo(1, 5);
    }
    expect([mean[2], deviation[2]]).toEqual([expect.closeTo(7, 12), 1]);
    expect([...x].filter((_, i) => i % 3 === 2).every((value) => Math.abs(value) < 1e-12)).toBe(true);
    const nested = Array.from({ length: rows }, (_, i) => raw.slice(3 * i, 3 * i + 3));
    expect(standardize(nested, 3).apply([nested[4] as Float64Array])).toEqual(x.slice(12, 15));
  });

  test("as a layer it is in the network's files: rows as they are, in ONNX Runtime too", async () => {
    const standard = standardize(raw, 3);
    const [with_, without] = [[standard.layer(), dense(2)], [dense(2)]].map((layers) =>
      sequential(3, layers, { seed: 4 }),
    );
    const device = await open({ backend: "cpu" });
    const make = (model: ReturnType<typeof sequential>) =>
      trainer(device, model, { loss: squaredError(), optimizer: sgd({ lr: 0.1 }) });
    const [net, bare] = [await make(with_ as never), await make(without as never)];
    const x = Float32Array.from(raw);
    const y = randomState(2).randn(rows * 2);
    await net.fit({ x, y }, { steps: 5 });
    await bare.fit({ x: standard.apply(x), y }, { steps: 5 });
    const [found, wanted] = [await net.predict(x), await bare.predict(standard.apply(x))];
    found.forEach((value, i) => {
      expect(Math.abs(value - (wanted[i] as number))).toBeLessThan(1e-5);
    });
    const other = await make(sequential(3, [standardize([1, 2, 3], 3).layer(), dense(2)]));
    other.load(await net.save());
    expect(await other.predict(x)).toEqual(found);

    const session = await ort.InferenceSession.create(writeOnnx(with_ as never, await net.weights()));
    const { output } = await session.run({ input: new ort.Tensor("float32", x, [rows, 3]) });
    const { data } = output as ort.Tensor;
    (data as Float32Array).forEach((value, i) => {
      expect(Math.abs(value - (found[i] as number))).toBeLessThan(1e-5);
    });
    device.close();
  });

  test("refuses what has no columns, with the place", () => {
    expect(() => standardize([1, 2, 3], 2)).toThrow(ShapeError);
    expect(() => standardize([1, Number.NaN], 2)).toThrow("x has NaN in row 0, column 1; it must be a finite number");
    expect(() => standardize([[1], [1, 2]], 1)).toThrow("row 1 of x is an array of 2, and row 0 an array of 1");
    expect(() => standardize(null as never, 2)).toThrow(TypeError);
    expect(() => sequential(3, [standardize([1, 2], 2).layer(), dense(1)])).toThrow(
      "standardize is of 2 columns, and is given [3]",
    );
  });
});

test("confusionMatrix counts [actual, predicted], with precision, recall and F1 a class", () => {
  // 2 of 3 of class 0 found, 1 said wrongly; class 2 is never predicted, and class 3 never is.
  const { counts, precision, recall, f1 } = confusionMatrix([0, 0, 0, 1, 1, 2], Int32Array.of(0, 0, 1, 1, 0, 1), 4);
  expect(counts).toEqual([
    [2, 1, 0, 0],
    [1, 1, 0, 0],
    [0, 1, 0, 0],
    [0, 0, 0, 0],
  ]);
  expect(precision).toEqual([2 / 3, 1 / 3, 0, 0]);
  expect(recall).toEqual([2 / 3, 1 / 2, 0, 0]);
  expect(f1).toEqual([2 / 3, 2 / 5, 0, 0]);
  expect(() => confusionMatrix([0], [1, 1], 2)).toThrow(ShapeError);
  expect(() => confusionMatrix([0, 2], [1, 1], 2)).toThrow("actual has 2 in row 1; classes are from 0 to 1");
  expect(() => confusionMatrix([0.5], [0], 2)).toThrow(RangeError);
  expect(() => confusionMatrix("01" as never, [0, 1], 2)).toThrow(TypeError);
});
