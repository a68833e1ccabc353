import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import type { ElementHandle, Page } from "puppeteer";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { readMnist } from "../../src/files/idx";
import {
  adam,
  binaryCrossEntropy,
  type Device,
  type Model,
  open,
  softmaxCrossEntropy,
  type Trainer,
  trainer,
} from "../../src/index";
import { autoencoderNetwork, compared } from "../../src/playground/images/autoencoder-training";
import { networkOf } from "../../src/playground/images/classes-training";
import { digitsNetwork } from "../../src/playground/images/digits-training";
import { axeFaults, firstLoad, numberOf, openSite, reaches, type Site, says, textOf } from "./pages";

let site: Site;
let device: Device;
const folder = mkdtempSync(join(tmpdir(), "wgrad-images-"));
beforeAll(async () => {
  site = await openSite("images");
  device = await open({ backend: "cpu" });
});
afterEach(() => site.leave());
afterAll(async () => {
  device?.close();
  await site?.close();
  rmSync(folder, { recursive: true, force: true });
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
async function loaded(model: Model, file: Uint8Array, loss = softmaxCrossEntropy()): Promise<Trainer> {
  const net = await trainer(device, model, { loss, optimizer: adam() });
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

  const net = await loaded(digitsNetwork(), await saved(page, "#digits-save"));
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

type Rgb = readonly [number, number, number];
const SIDE = 64;

/** A picture of 64 x 64 as a PNG file, and as the network takes it. Source: PNG, W3C 2003, §11. */
function pictureOf(colour: (x: number, y: number) => Rgb): { file: Buffer; x: Float32Array } {
  const lines = Buffer.alloc(SIDE * (1 + 3 * SIDE)); // each begins with its filter: none
  const x = new Float32Array(3 * SIDE * SIDE);
  for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
    const [column, row] = [pixel % SIDE, Math.floor(pixel / SIDE)];
    colour(column, row).forEach((value, c) => {
      lines[row * (1 + 3 * SIDE) + 1 + 3 * column + c] = value;
      x[c * SIDE * SIDE + pixel] = value / 255;
    });
  }
  const chunk = (kind: string, data: Buffer) => {
    const named = Buffer.concat([Buffer.from(kind), data]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    check.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, check]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(SIDE, 0);
  head.writeUInt32BE(SIDE, 4);
  head.set([8, 2], 8); // 8 bits of red, green and blue
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const file = [signature, chunk("IHDR", head), chunk("IDAT", deflateSync(lines)), chunk("IEND", Buffer.alloc(0))];
  return { file: Buffer.concat(file), x };
}

const around = (i: number): Rgb => [90 + 15 * i, 190 - 12 * i, 120];
const disc = (i: number) =>
  pictureOf((x, y) => (Math.hypot(x - 20 - 3 * i, y - 42 + 3 * i) < 14 ? [220, 40 + 10 * i, 60] : around(i)));
const stripes = (i: number) =>
  pictureOf((x, y) => (Math.floor((x + y + 3 * i) / (4 + (i % 3))) % 2 === 0 ? [40, 60 + 12 * i, 200] : around(i)));

/** Drops a folder on the page, with what a browser gives of it. */
async function dropFolder(page: Page, name: string, files: readonly Buffer[]): Promise<void> {
  const texts = files.map((file) => file.toString("base64"));
  await page.evaluate(
    (name, texts) => {
      const entries = texts.map((text, i) => ({
        isFile: true,
        isDirectory: false,
        name: `${i}.png`,
        file: (give: (file: File) => void) =>
          give(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], `${i}.png`, { type: "image/png" })),
      }));
      const parts = [entries.slice(0, 4), entries.slice(4), []]; // not all at once, and none at the end
      const reader = { readEntries: (give: (entries: unknown[]) => void) => give(parts.shift() ?? []) };
      const entry = { isFile: false, isDirectory: true, name, createReader: () => reader };
      const event = new Event("drop", { bubbles: true, cancelable: true });
      Object.assign(event, { dataTransfer: { items: [{ webkitGetAsEntry: () => entry }] } });
      document.body.dispatchEvent(event);
    },
    name,
    texts,
  );
}

/** Gives files or folders to a chooser of the page. */
async function give(page: Page, input: string, ...paths: string[]): Promise<void> {
  const element = (await page.$(input)) as ElementHandle<HTMLInputElement>;
  await element.uploadFile(...paths);
}

test("own classes: learnt from two folders, told apart as the saved network does, kept over a reload; what is missing is said", async () => {
  mkdirSync(join(folder, "discs"));
  for (let i = 0; i < 6; i++) writeFileSync(join(folder, "discs", `${i}.png`), disc(i).file);
  writeFileSync(join(folder, "discs", "notes.txt"), "no picture");
  writeFileSync(join(folder, "unseen.png"), stripes(7).file);

  const { page, faults } = await site.open("images.html#classes", catchFiles);
  const classes = (expected: string[]) =>
    page.waitForFunction(
      (expected) =>
        [...document.querySelectorAll(".class")]
          .map((card) => `${card.querySelector("input")?.value}: ${card.querySelector(".sub")?.textContent}`)
          .join() === expected,
      { polling: 50 },
      expected.join(),
    );
  await classes(["Class 1: 0 pictures", "Class 2: 0 pictures"]);
  await page.click("#learn");
  await says(page, "#classes-said", /“Class 1” has 0, “Class 2” has 0: each class needs 3 pictures or more/);
  await give(page, "#folders-file", join(folder, "discs"));
  await classes(["Class 2: 0 pictures", "discs: 6 pictures"]);
  await says(page, "#notice-text", /notes\.txt is no picture that this browser reads: left out/);
  await page.click("[aria-label='Remove Class 2']");
  await page.click("#learn");
  await says(page, "#classes-said", /There is one class yet/);
  await dropFolder(
    page,
    "stripes",
    Array.from({ length: 6 }, (_, i) => stripes(i).file),
  );
  await classes(["discs: 6 pictures", "stripes: 6 pictures"]);

  await page.click("#learn");
  await says(page, "#classes-said", /^Learnt from 10 pictures in/);
  await says(page, "#classes-held", "2 of 2 held-back pictures are told right.");
  await give(page, "#try-file", join(folder, "unseen.png"));
  await says(page, "#told", "stripes");
  const shares = () => page.$$eval("#told-bars .num", (figures) => figures.map((figure) => figure.textContent));
  const net = await loaded(networkOf(2), await saved(page, "#classes-save"));
  const expected = Array.from(await net.predict(stripes(7).x), (share) => `${(100 * share).toFixed(1)} %`);
  net.dispose();
  expect(await shares()).toEqual(expected);
  expect(await axeFaults(page)).toEqual([]);

  await page.reload();
  await says(page, "#classes-said", /These are the classes that you had here before/);
  await classes(["discs: 6 pictures", "stripes: 6 pictures"]);
  await give(page, "#try-file", join(folder, "unseen.png"));
  await says(page, "#told", "stripes");
  expect(await shares()).toEqual(expected);

  // The camera of the test's browser shows something; nobody has asked it for that before.
  await page.click("#camera-button");
  await page.waitForFunction(() => (document.querySelector("video")?.videoWidth ?? 0) > 0);
  await page.focus(".hold:enabled");
  await page.keyboard.down("Space");
  await page.waitForFunction(() => document.querySelector(".class .sub")?.textContent === "8 pictures");
  await page.keyboard.up("Space");
  expect(faults).toEqual([]);
});

test("autoencoder: what it draws, and how much of the pictures that explains, are those of the network that it saves", async () => {
  const { page, faults } = await site.open("images.html#autoencoder", catchFiles);
  await reaches(page, "#autoencoder-step", 64);
  await page.click("#autoencoder-train");
  await says(page, "#autoencoder-train", "Train");
  const net = await loaded(autoencoderNetwork(), await saved(page, "#autoencoder-save"), binaryCrossEntropy());
  const { x } = await readMnist(dataFile("mnist-images.idx.gz"), dataFile("mnist-labels.idx.gz"));
  const heldBack = x.subarray(4000 * 784);
  const { explained } = compared(heldBack, await net.predict(heldBack));
  net.dispose();
  expect(await numberOf(page, "#autoencoder-held")).toBeCloseTo(100 * explained, 1);

  const drawn = () => page.$eval("#decoded", (canvas) => (canvas as HTMLCanvasElement).toDataURL());
  const before = await drawn();
  await page.focus("#plane");
  for (let i = 0; i < 5; i++) await page.keyboard.press("ArrowRight");
  await page.waitForFunction(
    (before) => (document.querySelector("#decoded") as HTMLCanvasElement).toDataURL() !== before,
    {},
    before,
  );
  expect((await page.$$("#after .filmstrip")).length).toBeGreaterThanOrEqual(2);
  expect(await axeFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
});
