import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ElementHandle } from "puppeteer";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { open, trainer } from "../../src/index";
import { BurgersEngine } from "../../src/playground/series/burgers";
import { modelOf, trainingOf } from "../../src/playground/series/forecaster";
import { seriesData } from "../../src/playground/series/series";
import { axeFaults, firstLoad, openSite, reaches, type Site, says, setField, textOf } from "./pages";

let site: Site;
const folder = mkdtempSync(join(tmpdir(), "wgrad-series-"));
beforeAll(async () => {
  site = await openSite("series");
});
afterEach(() => site.leave());
afterAll(async () => {
  await site?.close();
  rmSync(folder, { recursive: true, force: true });
});

const OPTIONS = { seen: 8, ahead: 2, units: 6, epochs: 12 };
/** Two waves over 300 days, of which two have no value. */
const values = Array.from({ length: 300 }, (_, i) => Number((20 + 5 * Math.sin(i / 4) + Math.sin(i / 2)).toFixed(3)));
const CSV = ["day,weather,degrees", ...values.map((value, i) => `d${i},${i % 2 ? "sun" : "rain"},${value}`)]
  .toSpliced(100, 0, "d,rain,", "d,sun,NA")
  .join("\n");

test("a column of a table is forecast with the errors that the library gives, and better than by the naive forecast", async () => {
  const { page, faults } = await site.open("series.html");
  const begun = () => reaches(page, "#figure-error", 0);
  expect(await firstLoad(site, page, begun)).toBeLessThan(150_000);
  await setField(page, "#backend", "cpu");
  for (const [name, value] of Object.entries(OPTIONS)) await setField(page, `#${name}`, value);
  const path = join(folder, "weather.csv");
  writeFileSync(path, CSV);
  await ((await page.$("#table-file")) as ElementHandle<HTMLInputElement>).uploadFile(path);
  await says(page, "#series-said", "degrees of weather.csv: 300 values; 2 rows without a value are left out.");
  await says(page, "#figure-epoch", "12 of 12");
  await says(page, "#train", "Train");

  const device = await open({ backend: "cpu" });
  const data = seriesData(Float32Array.from(values), OPTIONS);
  const { steps, stepsPerEpoch: _, ...using } = trainingOf(data, OPTIONS);
  const net = await trainer(device, modelOf(OPTIONS), using);
  await net.fit(data.training, { steps });
  const { loss } = await net.evaluate(data.heldBack);
  device.close();
  const rounded = (value: number) => String(Number(value.toPrecision(3)));
  // The last fifth, each value beside that of two days before.
  const held = values.slice(-data.truth.length);
  expect(data.truth.length).toBe(59);
  const naive = Math.sqrt(held.reduce((sum, value, i) => sum + (value - (values[241 + i - 2] as number)) ** 2, 0) / 59);
  const error = Math.sqrt(loss) * data.deviation;
  expect(await textOf(page, "#figure-naive")).toBe(rounded(naive));
  expect(await textOf(page, "#figure-error")).toBe(rounded(error));
  expect(await textOf(page, "#figure-better")).toBe(`${(naive / error).toPrecision(2)} times`);
  expect(error).toBeLessThan(naive);

  // What cannot be learnt is told, and what there was stays.
  writeFileSync(path, "a\n1\n2\n3\n");
  await ((await page.$("#table-file")) as ElementHandle<HTMLInputElement>).uploadFile(path);
  await says(page, "#notice-text", /has 3 values; to forecast 2 ahead from 8 it takes at least/);
  expect(await textOf(page, "#figure-error")).toBe(rounded(error));
  expect(await axeFaults(page)).toEqual([]);
  await page.setViewport({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  expect(faults).toEqual([]);
});

test("the network that solves Burgers' equation comes to where the example comes", async () => {
  const engine = new BurgersEngine();
  const errors: number[] = [];
  const done = new Promise<void>((resolve, reject) => {
    engine.listen((message) => {
      if (message.kind === "failed") reject(new Error(message.message));
      if (message.kind === "look") errors.push(message.look.error);
      if (message.kind === "state" && message.state === "finished") resolve();
    });
  });
  await engine.make("cpu", true);
  await done;
  expect(errors[0]).toBeGreaterThan(0.1);
  expect(errors.at(-1)).toBeLessThan(0.01);
});

test("no value that a network is judged by is in a row that it learns from", () => {
  const { training, heldBack, first, truth, mean, deviation } = seriesData(
    Array.from({ length: 200 }, (_, i) => i),
    { seen: 5, ahead: 3 },
  );
  const back = (value: number) => Math.round(value * deviation + mean);
  const learnt = Math.max(...Array.from(training.y, back), ...Array.from(training.x, back));
  expect(learnt).toBe(Math.min(...Array.from(heldBack.x, back)) - 1);
  expect(back(heldBack.y[0] as number)).toBe(first);
  expect(truth[0]).toBe(first);
  expect(truth.at(-1)).toBe(199);
});
