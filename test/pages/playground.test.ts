import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ElementHandle, Page } from "puppeteer";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { numberOf, openSite, reaches, type Site, seriousFaults, textOf } from "./pages";

let site: Site;
const folder = mkdtempSync(join(tmpdir(), "wgrad-pages-"));
beforeAll(async () => {
  site = await openSite();
});
afterEach(() => site.leave());
afterAll(async () => {
  await site?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Gives a file to the page's chooser of tables. */
async function dropCsv(page: Page, name: string, text: string): Promise<void> {
  const path = join(folder, name);
  writeFileSync(path, text);
  const input = (await page.$("#csv-file")) as ElementHandle<HTMLInputElement>;
  await input.uploadFile(path);
}

test("it trains as it opens, learns moons, pauses, and takes another rate up at once", async () => {
  const { page, faults } = await site.open("index.html");
  await reaches(page, "#figure-held", 95);
  expect(await page.$eval("#train", (button) => button.textContent)).toMatch(/Pause|Train/);
  // Long enough that it is under way when it is paused.
  await page.$eval("input#steps", (field) => {
    field.value = "1000000";
    field.dispatchEvent(new Event("change"));
  });
  if ((await textOf(page, "#train")) === "Train") await page.click("#train");
  await page.waitForFunction(() => document.querySelector("#train")?.textContent === "Pause");
  await page.click("#train");
  await page.waitForFunction(() => document.querySelector("#train")?.textContent === "Train");
  await new Promise((resolve) => setTimeout(resolve, 300));
  const paused = await numberOf(page, "#figure-step");
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(await numberOf(page, "#figure-step")).toBe(paused);

  await page.$eval("input#rate", (field) => {
    field.value = "0.002";
    field.dispatchEvent(new Event("change"));
  });
  await page.click("#step");
  await reaches(page, "#figure-step", paused + 1);
  expect(await numberOf(page, "#figure-step")).toBe(paused + 1); // the weights stayed: nothing began anew
  expect(await textOf(page, "#fact-rate")).toBe("0.002");
  expect(await seriousFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
});

test("a link opens the same page, and a reload goes on where it stood", async () => {
  const { page, faults } = await site.open("index.html#data=circles&layers=5t-3r&rate=0.02&steps=400&seed=3");
  await reaches(page, "#figure-step", 400);
  const link = await page.evaluate(() => location.href);
  expect(link).toContain("layers=5t-3r");
  await page.reload();
  await reaches(page, "#figure-step", 400, 10_000);
  const other = await site.open(link.slice(site.address.length));
  await reaches(other.page, "#figure-step", 400);
  expect(await textOf(other.page, "#network-size")).toBe(await textOf(page, "#network-size"));
  expect(await textOf(other.page, "#figure-held")).toBe(await textOf(page, "#figure-held"));
  expect([...faults, ...other.faults]).toEqual([]);
});

test("layers are added, resized and removed while it trains", async () => {
  const { page, faults } = await site.open("index.html#data=xor&steps=100000");
  await reaches(page, "#figure-step", 1);
  const size = (text: string) =>
    page.waitForFunction((text) => document.querySelector("#network-size")?.textContent?.startsWith(text), {}, text);
  await page.click('[data-key="add"]');
  await size("2 – 8 – 4 – 4 – 2");
  await page.click('[data-key="more0"]');
  await size("2 – 9 – 4 – 4 – 2");
  await page.click('[data-key="remove2"]');
  await size("2 – 9 – 4 – 2");
  await reaches(page, "#figure-step", 16);
  expect(faults).toEqual([]);
});

test("a table is trained on; its bad rows are named, and one that is too large is refused", async () => {
  const { page, faults } = await site.open("index.html#steps=300");
  await reaches(page, "#figure-step", 1);
  const rows = Array.from({ length: 60 }, (_, i) => `${i},${(i * 7) % 13},${i < 30 ? "low" : "high"}`);
  await dropCsv(page, "bad.csv", ["a,b,kind", ...rows.slice(0, 5), "6,oops,low", ...rows.slice(6), "1,2"].join("\n"));
  await page.waitForSelector("#csv-use");
  await page.click("#csv-use");
  await page.waitForSelector(".bad-rows");
  const named = await textOf(page, ".bad-rows");
  expect(named).toContain('row 7: "b" is "oops", not a number');
  expect(named).toContain("row 62: has 2 fields");
  await page.click("#csv-leave-out");
  await page.waitForFunction(() => document.querySelector("#data-rows")?.textContent?.startsWith("41 "));
  await reaches(page, "#figure-held", 90);

  await dropCsv(page, "one.csv", "a\n1\n2");
  await page.waitForSelector("#csv-body [role=alert]");
  expect(await textOf(page, "#csv-body [role=alert]")).toContain("fewer than two columns");
  await page.click("#csv-body button");

  const line = "0.123456789,0.987654321,1\n";
  await dropCsv(page, "huge.csv", line.repeat(Math.ceil(101e6 / line.length)));
  await page.waitForSelector("#csv-body [role=alert]");
  expect(await textOf(page, "#csv-body [role=alert]")).toContain("at most 100 MB");
  expect(faults).toEqual([]);
});

test("digits are learned, misread ones shown, and a drawn 1 is read", async () => {
  const { page, faults } = await site.open("index.html#steps=600&data=digits");
  await reaches(page, "#figure-held", 95);
  await page.waitForSelector("#mistakes li");
  const pad = await (await page.$("#pad"))?.boundingBox();
  if (!pad) throw new Error("there is no pad");
  await page.mouse.move(pad.x + pad.width * 0.5, pad.y + pad.height * 0.12);
  await page.mouse.down();
  await page.mouse.move(pad.x + pad.width * 0.5, pad.y + pad.height * 0.88, { steps: 12 });
  await page.mouse.up();
  await page.waitForFunction(() => document.querySelector("#pad-answer")?.textContent?.startsWith("That is"));
  expect(await textOf(page, "#pad-answer")).toBe("That is a 1");
  expect(await seriousFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
});

test("the GPU process is killed, and training goes on from the last snapshot", async () => {
  const { page, faults } = await site.open("index.html#backend=webgpu&steps=1000000");
  await reaches(page, "#figure-step", 32);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const session = await site.browser.target().createCDPSession();
  session.send("Browser.crashGpuProcess").catch(() => {}); // it answers nothing when it works
  await page.waitForFunction(() => /device went away/.test(document.querySelector("#notice-text")?.textContent ?? ""), {
    timeout: 20_000,
  });
  const said = await textOf(page, "#notice-text");
  const from = Number(/from step ([\d,]+)/.exec(said)?.[1]?.replace(/,/g, ""));
  expect(from).toBeGreaterThan(0);
  await reaches(page, "#figure-step", from + 64);
  expect(faults).toEqual([]);
});

test("Verify holds this browser's own adapter to the bounds, and its report can be saved", async () => {
  const { page, faults } = await site.open("verify.html");
  await page.select("#extent", "sample");
  await page.click("#run");
  await page.waitForFunction(() => document.querySelector("#save-json:not(:disabled)"), { timeout: 60_000 });
  expect(await textOf(page, "#verdict")).toMatch(/^All \d+ checks are within their bounds/);
  expect(await textOf(page, "#adapter")).toContain("WebGPU on");
  expect(await page.$$eval("#rows tr", (rows) => rows.length)).toBeGreaterThan(35);
  expect(await seriousFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
});

test("GPU and CPU race from the same weights to nearly the same loss", async () => {
  const { page, faults } = await site.open("race.html");
  await page.$eval("input#race-steps", (field) => {
    field.value = "60";
  });
  await page.click("#start");
  await page.waitForFunction(() =>
    /steps a second\. Their/.test(document.querySelector("#verdict")?.textContent ?? ""),
  );
  const [gpu, cpu] = [await numberOf(page, "#webgpu-loss"), await numberOf(page, "#cpu-loss")];
  expect(gpu / cpu).toBeCloseTo(1, 2);
  expect(await seriousFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
});

test("a lesson steps through its graph, forward and backward, with the numbers shown", async () => {
  const { page, faults } = await site.open("lessons.html#seed-003");
  await page.waitForSelector(".graph-node");
  await page.click("#next");
  await page.click("#next");
  expect(await textOf(page, "#said")).toMatch(/^3 of \d+, forward/);
  await page.click("#previous");
  expect(await textOf(page, "#said")).toMatch(/^2 of \d+, forward/);
  expect(await page.$$eval("#values td", (cells) => cells.length)).toBeGreaterThan(3);
  expect(await page.$$eval("#gradients .bad", (cells) => cells.length)).toBe(3);
  expect(await seriousFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
});

test.each(["index.html", "lessons.html#seed-000", "race.html", "verify.html"])("%s fits a phone", async (path) => {
  const { page } = await site.open(path);
  await page.setViewport({ width: 390, height: 844 });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
});
