import { readFileSync } from "node:fs";
import type { Page } from "puppeteer";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { readMnist } from "../../src/files/idx";
import { adam, type Device, type Model, open, softmaxCrossEntropy, type Trainer, trainer } from "../../src/index";
import { digitsNetwork } from "../../src/playground/images/digits-training";
import { axeFaults, firstLoad, numberOf, openSite, reaches, type Site, says, textOf } from "./pages";

let site: Site;
let device: Device;
beforeAll(async () => {
  site = await openSite("images");
  device = await open({ backend: "cpu" });
});
afterEach(() => site.leave());
afterAll(async () => {
  device?.close();
  await site?.close();
});

const dataFile = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../src/playground/data/${name}`, import.meta.url)));

/** Keeps what the page gives to be saved, where `saved` finds it. */
function catchFiles(): void {
  const create = URL.createObjectURL.bind(URL);
  URL.createObjectURL = (blob: Blob) => {
    Object.assign(globalThis, { saved: blob });
    return create(blob);
  };
}

/** The file that a press of this button saves. */
async function saved(page: Page, button: string): Promise<Uint8Array> {
  await page.click(button);
  await page.waitForFunction(() => "saved" in globalThis);
  const bytes = await page.evaluate(async () => {
    const { saved } = globalThis as unknown as { saved: Blob };
    Reflect.deleteProperty(globalThis, "saved");
    return [...new Uint8Array(await saved.arrayBuffer())];
  });
  return Uint8Array.from(bytes);
}

/** A network with the weights that were saved. */
async function networkOf(model: Model, file: Uint8Array): Promise<Trainer> {
  const net = await trainer(device, model, { loss: softmaxCrossEntropy(), optimizer: adam() });
  net.load(file);
  return net;
}

test("digits: it trains as it opens; its figures are those of the network that it saves; it reads what is drawn, and shows how", async () => {
  const { page, faults } = await site.open("images.html", catchFiles);
  const isData = (url: string) => url.endsWith(".gz");
  const bytes = await firstLoad(site, page, () => reaches(page, "#digits-step", 1), isData);
  expect(bytes).toBeLessThan(150_000);
  await reaches(page, "#digits-held", 85);
  await page.click("#digits-train");
  await says(page, "#digits-train", "Train");

  // Drawn by keyboard: a one.
  await page.focus("#pad");
  for (const key of ["Space", ...new Array(6).fill("ArrowDown"), "Space"]) await page.keyboard.press(key);
  await says(page, "#pad-answer", "That is a 1");
  const inked = await page.$$eval("#kernels .map, #second canvas", (maps) =>
    maps.map((map) => {
      const { width, height } = map as HTMLCanvasElement;
      const { data } = (map as HTMLCanvasElement).getContext("2d")?.getImageData(0, 0, width, height) ?? { data: [] };
      return new Set(new Uint32Array(new Uint8Array(data).buffer)).size;
    }),
  );
  expect(inked.length).toBe(8 + 16);
  expect(inked.filter((colours) => colours > 4).length).toBeGreaterThan(12); // a filter may see nothing in it
  await page.click("#pad-clear");
  await says(page, "#pad-answer", "Draw a digit");

  const net = await networkOf(digitsNetwork(), await saved(page, "#digits-save"));
  const { x, y } = await readMnist(dataFile("mnist-images.idx.gz"), dataFile("mnist-labels.idx.gz"));
  const heldBack = { x: x.subarray(4000 * 784), y: y.subarray(4000) };
  const { accuracy = 0 } = await net.evaluate(heldBack);
  net.dispose();
  const wrong = Math.round(500 * (1 - accuracy));
  expect(await numberOf(page, "#digits-held")).toBeCloseTo(100 * accuracy, 1);
  expect(await textOf(page, "#mistakes-summary")).toMatch(`${wrong} of 500 held-back digits are misread`);
  expect((await page.$$("#mistakes .wrong")).length).toBe(Math.min(wrong, 36));
  const diagonal = await page.$$eval("#confusion .diagonal", (cells) =>
    cells.reduce((sum, cell) => sum + Number(cell.textContent), 0),
  );
  expect(diagonal).toBe(500 - wrong);
  expect(await axeFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
});
