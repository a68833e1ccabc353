import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ElementHandle, Page } from "puppeteer";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { axeFaults, firstLoad, numberOf, openSite, reaches, type Site, says, textOf } from "./pages";

let site: Site;
const folder = mkdtempSync(join(tmpdir(), "wgrad-pages-"));
beforeAll(async () => {
  site = await openSite("playground");
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

test.each(["index.html", "index.html#backend=webgpu"])("it trains as it opens, nobody asking: %s", async (path) => {
  const { page, faults } = await site.open(path);
  await reaches(page, "#figure-step", 1);
  expect(await textOf(page, "#device")).toMatch(path.endsWith("webgpu") ? /^WebGPU/ : /^(WebGPU|CPU)$/);
  expect(faults).toEqual([]);
});

test("its first load, until it trains, is less than 150 KB gzipped", async () => {
  const { page } = await site.open("index.html");
  const bytes = await firstLoad(site, page, () => reaches(page, "#figure-step", 16));
  expect(bytes).toBeLessThan(150_000);
});

test("it trains as it opens, learns moons, pauses, and takes another rate up at once", async () => {
  // Long enough that it is under way when it is paused.
  const { page, faults } = await site.open("index.html#steps=1000000");
  await reaches(page, "#figure-held", 95);
  expect(await textOf(page, "#train")).toBe("Pause");
  const before = await numberOf(page, "#figure-step");
  await page.$eval("input#rate", (field) => {
    field.value = "0.002";
    field.dispatchEvent(new Event("change"));
  });
  await page.waitForFunction(() => document.querySelector("#fact-rate")?.textContent === "0.002");
  expect(await textOf(page, "#train")).toBe("Pause"); // it has not stopped for it,
  expect(await numberOf(page, "#figure-step")).toBeGreaterThanOrEqual(before); // nor begun anew
  await page.click("#train");
  await page.waitForFunction(() => document.querySelector("#train")?.textContent === "Train");
  const paused = await numberOf(page, "#figure-step");
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(await numberOf(page, "#figure-step")).toBe(paused);
  await page.click("#step");
  await reaches(page, "#figure-step", paused + 1);
  expect(await numberOf(page, "#figure-step")).toBe(paused + 1); // the weights stayed: nothing began anew
  expect(await axeFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
});

test("a link opens the same page, and a reload goes on where it stood", async () => {
  const { page, faults } = await site.open("index.html#data=circles&layers=5t-3r&rate=0.02&steps=400&seed=3");
  await reaches(page, "#figure-step", 400);
  await page.evaluateOnNewDocument(() => {
    const seen = new MutationObserver(() => {
      const step = Number(document.querySelector("#figure-step")?.textContent ?? 0);
      if (step > 0) document.documentElement.dataset.firstSeen ??= String(step);
    });
    seen.observe(document, { subtree: true, childList: true, characterData: true });
  });
  const link = await page.evaluate(() => location.href);
  expect(link).toContain("layers=5t-3r");
  await page.reload();
  await reaches(page, "#figure-step", 400);
  expect(await page.$eval("html", (html) => html.dataset.firstSeen)).toBe("400"); // none before it was taken again
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
  const { page, faults } = await site.open("index.html#steps=300", () => {
    Object.defineProperty(globalThis, "indexedDB", {
      get() {
        throw new DOMException("storage is full", "QuotaExceededError");
      },
    });
  });
  await reaches(page, "#figure-step", 1);
  const rows = Array.from({ length: 60 }, (_, i) => `${i},${(i * 7) % 13},${i < 30 ? "low" : "high"}`);
  await dropCsv(page, "bad.csv", ["a,b,kind", ...rows.slice(0, 5), "6,oops,low", ...rows.slice(6), "1,2"].join("\n"));
  await says(page, ".table-form [role=alert]", /^Row 7, column 2 \("b"\) has "oops"/);
  await page.click("#csv-leave-out");
  await says(page, ".used", "59 rows of 2 columns to learn from (a, b); 2 classes: high, low.");
  const named = await textOf(page, ".left-out");
  expect(named).toContain('row 7: column 2 ("b") has "oops"');
  expect(named).toContain("row 62: has 2 fields");
  await page.click("#csv-use");
  await page.waitForFunction(() => document.querySelector("#data-rows")?.textContent?.startsWith("41 "));
  await reaches(page, "#figure-held", 90);
  await page.waitForFunction(() =>
    document
      .querySelector("#notice-text")
      ?.textContent?.includes("a reload will ask for it again: this browser does not keep it (storage is full)"),
  );

  await dropCsv(page, "one.csv", "a\n1\n2");
  await says(page, "#csv-body [role=alert]", /one column, where there must be two/);
  await page.click("#csv-cancel");

  await dropCsv(page, "wide.csv", `${"a,".repeat(5000)}b\n`.repeat(2));
  await says(page, "#csv-body [role=alert]", /Row 1 has 5,001 columns; at most 256/);
  await page.click("#csv-cancel");

  await dropCsv(page, "long.csv", "1,2\n".repeat(1_600_000));
  await says(page, "#csv-body [role=alert]", /more than 3 million fields/);
  await page.click("#csv-cancel");

  const line = "0.123456789,0.987654321,1\n";
  await dropCsv(page, "huge.csv", line.repeat(Math.ceil(101e6 / line.length)));
  await says(page, "#csv-body [role=alert]", /at most 100 MB/);
  expect(faults).toEqual([]);
});

test("numbers are learned from a table, and a reload has the table still", async () => {
  const { page, faults } = await site.open("index.html#steps=300");
  const at = (i: number) => [(i * 37) % 100, (i * 61) % 89] as const;
  const line = (i: number) => `${at(i)[0]},${at(i)[1]},${(2.5 * at(i)[0] - at(i)[1] + 1000.5).toFixed(2)}`;
  const rows = Array.from({ length: 120 }, (_, i) => line(i));
  await dropCsv(
    page,
    "numbers.csv",
    ["width,height,price", ...rows.slice(0, 8), "5,5,dear", ...rows.slice(8)].join("\n"),
  );
  await page.waitForSelector("#csv-kind");
  expect(await page.$eval("#csv-kind", (kind) => (kind as HTMLSelectElement).value)).toBe("numbers");
  await says(page, ".table-form [role=alert]", /^Row 10, column 3 \("price"\) has "dear"/);
  await page.click("#csv-leave-out");
  await says(page, ".used", /^120 rows of 2 columns/);
  await page.click("#csv-use");
  const areNumbers = () => page.waitForFunction(() => document.querySelector("#accuracy-name")?.textContent === "R²");
  await areNumbers();
  await reaches(page, "#figure-held", 0.95);
  expect(await page.$eval("select#loss", (loss) => [loss.value, loss.disabled])).toEqual(["squaredError", true]);
  expect(await textOf(page, "#network-size")).toMatch(/^2 – .* – 1,/);
  expect(await page.$eval("#fit", (fit) => fit.clientHeight)).toBeGreaterThan(0);
  expect(await numberOf(page, "#scale-most")).toBeGreaterThan(1100); // in the numbers of the file
  expect(await axeFaults(page)).toEqual([]);

  await page.reload();
  await areNumbers();
  await reaches(page, "#figure-held", 0.95);
  await page.click("#forget");
  await page.waitForFunction(() => location.hash.includes("data=moons"));
  await page.goto(`${site.address}index.html#data=csv`);
  await page.reload();
  await page.waitForFunction(() =>
    /not in this browser/.test(document.querySelector("#notice-text")?.textContent ?? ""),
  );
  await reaches(page, "#figure-held", 80);
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
  await says(page, "#pad-answer", "That is a 1");
  expect(await axeFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
});

test("the GPU process is killed, and training goes on from the last snapshot", async () => {
  const { page, faults } = await site.open("index.html#backend=webgpu&steps=1000000");
  await reaches(page, "#figure-step", 32); // the first steps leave a snapshot
  const session = await site.browser.target().createCDPSession();
  session.send("Browser.crashGpuProcess").catch(() => {}); // it answers nothing when it works
  await says(page, "#notice-text", /device went away/);
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
  await page.waitForSelector("#save-json:not(:disabled)");
  expect(await textOf(page, "#verdict")).toMatch(/^All \d+ checks are within their bounds/);
  expect(await textOf(page, "#adapter")).toContain("WebGPU on");
  expect(await page.$$eval("#rows tr", (rows) => rows.length)).toBeGreaterThan(35);
  expect(await axeFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
});

test("GPU and CPU race from the same weights to nearly the same loss", async () => {
  const { page, faults } = await site.open("race.html");
  await page.$eval("input#race-steps", (field) => {
    field.value = "320";
  });
  await page.click("#start");
  await page.waitForFunction(() =>
    /steps a second\. Their/.test(document.querySelector("#verdict")?.textContent ?? ""),
  );
  const [gpu, cpu] = [await numberOf(page, "#webgpu-loss"), await numberOf(page, "#cpu-loss")];
  expect(Math.abs(gpu / cpu - 1)).toBeLessThan(4e-3); // three digits are shown
  const speeds = [await numberOf(page, "#webgpu-speed"), await numberOf(page, "#cpu-speed")];
  const said = Number(/takes ([\d.e+]+) times/.exec(await textOf(page, "#verdict"))?.[1]);
  expect(Math.abs(Math.max(...speeds) / Math.min(...speeds) / said - 1)).toBeLessThan(0.06); // of two digits
  expect(await axeFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
});

test("without WebGPU the CPU trains, alone in the race, and is verified; each page says why", async () => {
  const { page, faults } = await site.open(`${site.withoutGpu}index.html`);
  expect(await page.evaluate(() => "gpu" in navigator)).toBe(false);
  await reaches(page, "#figure-held", 90);
  expect(await textOf(page, "#notice-text")).toMatch(
    /^Training on the CPU. WebGPU is there only on pages served by https/,
  );

  await page.goto(`${site.withoutGpu}race.html`);
  await page.$eval("input#race-steps", (field) => {
    field.value = "200";
  });
  await page.click("#start");
  await page.waitForFunction(() => /^Only/.test(document.querySelector("#verdict")?.textContent ?? ""));
  expect(await textOf(page, "#verdict")).toBe("Only the CPU could run here.");
  expect(await numberOf(page, "#cpu-step")).toBe(200);
  expect(await textOf(page, "#webgpu-name")).toContain("there is no WebGPU here");

  await page.goto(`${site.withoutGpu}verify.html`);
  await page.select("#extent", "sample");
  await page.click("#run");
  await page.waitForSelector("#save-json:not(:disabled)");
  expect(await textOf(page, "#adapter")).toMatch(/^On the CPU instead. open: there is no WebGPU here/);
  expect(await textOf(page, "#verdict")).toMatch(/^All \d+ checks are within their bounds/);
  expect(faults).toEqual([]);
});

test("a lesson steps through its graph, forward and backward, with the numbers shown", async () => {
  const { page, faults } = await site.open("lessons.html#the-famous-mistake");
  await page.waitForSelector(".graph-node");
  await page.click("#next");
  await page.click("#next");
  expect(await textOf(page, "#said")).toMatch(/^3 of \d+, forward/);
  await page.click("#previous");
  expect(await textOf(page, "#said")).toMatch(/^2 of \d+, forward/);
  expect(await page.$$eval("#values td", (cells) => cells.length)).toBeGreaterThan(3);
  expect(await page.$$eval("#gradients .bad", (cells) => cells.length)).toBe(3);

  // The graph is as large as fits, and as large as a person wants it; what is under the pointer stays there.
  const width = () => page.$eval(".graph svg", (drawing) => Number(drawing.getAttribute("width")));
  const fitted = await width();
  expect(fitted).toBeLessThanOrEqual(await page.$eval(".graph", (box) => box.clientWidth));
  await page.click("#closer");
  expect(await width()).toBeGreaterThan(fitted * 1.2);
  await page.$eval("g.graph-node.now", (node) => node.focus());
  await page.keyboard.press("0");
  expect(await width()).toBe(fitted);
  const third = async () => (await (await page.$$(".graph-node"))[2]?.boundingBox()) ?? { x: 0, y: 0 };
  const before = await third();
  await page.mouse.move(before.x, before.y);
  await page.keyboard.down("Control");
  await page.mouse.wheel({ deltaY: -100 });
  await page.keyboard.up("Control");
  await page.waitForFunction(
    (fitted) => Number(document.querySelector(".graph svg")?.getAttribute("width")) > fitted,
    {},
    fitted,
  );
  expect(Math.abs((await third()).x - before.x)).toBeLessThan(4);
  await page.click("#whole");
  expect(await width()).toBe(fitted);

  // The graph by keyboard: one stop of the tab key, arrows from there.
  const focused = () => page.evaluate(() => document.activeElement?.querySelector("title")?.textContent ?? "");
  await page.focus("#whole");
  await page.keyboard.press("Tab");
  expect(await focused()).toBe(await page.$eval(".graph-node.now title", (title) => title.textContent));
  expect(await page.$eval(":focus-visible", (node) => getComputedStyle(node).outlineStyle)).toBe("solid");
  const first = await focused();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  expect(await focused()).toContain("forward");
  expect(await textOf(page, "#said")).toMatch(/^2 of/); // looking around is not stepping
  await page.keyboard.press("Enter");
  expect(await page.$eval(".graph-node.now title", (title) => title.textContent)).toBe(await focused());
  expect(await textOf(page, "#said")).not.toMatch(/^2 of/);
  await page.keyboard.press("Home");
  await page.keyboard.press(" ");
  expect(await textOf(page, "#said")).toMatch(/: given/);
  await page.keyboard.press("End");
  expect(await focused()).not.toBe(first);
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.classList.contains("graph-node"))).toBe(false);
  expect(await axeFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
});
