import * as ort from "onnxruntime-web";
import { beforeAll, expect, test } from "vitest";
import { type Config, preset } from "../../src/playground/config";
import { type DataSet, dataSet, type Table } from "../../src/playground/training/data-set";
import { Engine } from "../../src/playground/training/engine";
import type { Look } from "../../src/playground/training/messages";
import { readTable } from "../../src/playground/training/table";
import { AS_IT_IS } from "./table-choice";

beforeAll(() => {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
});

/** A network that the page has trained to its end, and what the page says of it. */
async function trained(config: Config, table?: Table): Promise<{ engine: Engine; look: Look; set: DataSet }> {
  const engine = new Engine();
  let look: Look | undefined;
  const finished = new Promise<void>((resolve, reject) => {
    engine.listen((message) => {
      if (message.kind === "look") look = message.look;
      if (message.kind === "failed") reject(new Error(message.message));
      if (message.kind === "state" && message.state === "finished") resolve();
    });
  });
  await engine.make({ ...config, backend: "cpu" }, { train: true, ...(table && { table }) });
  await finished;
  if (!look) throw new Error("there was no look");
  return { engine, look, set: await dataSet(config, table ?? null) };
}

async function inRuntime(file: Uint8Array, x: Float32Array, inputs: number): Promise<Float32Array> {
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"] });
  const { output } = await session.run({ input: new ort.Tensor("float32", x, [x.length / inputs, inputs]) });
  await session.release();
  return output?.data as Float32Array;
}

/** What the page's own network says of rows as they are in the data. */
async function said(engine: Engine, { mean, deviation }: DataSet, x: Float32Array): Promise<Float32Array> {
  const at = (i: number) => i % mean.length;
  return engine.read(x.map((value, i) => (value - (mean[at(i)] as number)) / (deviation[at(i)] as number)));
}

async function tableOf(line: (i: number) => string, label: number, numbers: boolean): Promise<Table> {
  const text = ["year,share,kind", ...Array.from({ length: 150 }, (_, i) => line(i))].join("\n");
  return (await readTable(text, { ...AS_IT_IS, label, numbers, features: [0, 1] })).table;
}

const year = (i: number) => 1900 + ((i * 37) % 120);
const share = (i: number) => ((i * 61) % 89) / 1000;

test("the page's ONNX file takes rows as they are, and says of them what the page says", async () => {
  const table = await tableOf(
    (i) => `${year(i)},${share(i)},${(year(i) - 1900) / 120 > share(i) * 11 ? "a" : "b"}`,
    2,
    false,
  );
  const { engine, look, set } = await trained({ ...preset("csv"), steps: 600 }, table);
  expect(look.heldBack.share).toBeGreaterThan(0.9);
  const found = await inRuntime(await engine.onnx(), table.x, 2);
  const expected = await said(engine, set, table.x);
  expect(found.length).toBe(expected.length);
  found.forEach((value, i) => {
    expect(Math.abs(value - (expected[i] as number))).toBeLessThan(1e-4);
  });
  const right = table.y.filter((k, row) => Number((found[2 * row + 1] as number) > 0.5) === k).length;
  expect(right / table.y.length).toBeGreaterThan(0.9);
});

test("of numbers it gives those of the data, not standardised ones", async () => {
  const price = (i: number) => 5000 + 20 * (year(i) - 1950) - 3000 * share(i);
  const table = await tableOf((i) => `${year(i)},${share(i)},${price(i)}`, 2, true);
  const { engine, look, set } = await trained({ ...preset("csv"), steps: 600 }, table);
  expect(look.heldBack.share).toBeGreaterThan(0.95);
  const { mean, deviation } = set.target ?? { mean: Number.NaN, deviation: Number.NaN };
  const found = await inRuntime(await engine.onnx(), table.x, 2);
  const expected = await said(engine, set, table.x);
  found.forEach((value, i) => {
    expect(Math.abs(value - ((expected[i] as number) * deviation + mean))).toBeLessThan(1e-4 * deviation);
    expect(Math.abs(value - price(i))).toBeLessThan(deviation);
  });
});
