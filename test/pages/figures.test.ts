import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { preset } from "../../src/playground/config";
import { dataSet } from "../../src/playground/training/data-set";
import { Engine } from "../../src/playground/training/engine";
import { numberOf, openSite, reaches, type Site, says, textOf } from "./pages";

let site: Site;
beforeAll(async () => {
  site = await openSite("figures");
});
afterEach(() => site.leave());
afterAll(() => site?.close());

test("the loss of a step is the same, whether many steps led to the look or one", async () => {
  const { page, faults } = await site.open("index.html#steps=120");
  await reaches(page, "#figure-step", 120);
  const atOnce = await textOf(page, "#figure-loss");
  const { page: other } = await site.open("index.html#steps=119");
  await reaches(other, "#figure-step", 119);
  const before = await textOf(other, "#figure-loss");
  await other.click("#step");
  await reaches(other, "#figure-step", 120);
  expect(await textOf(other, "#figure-loss")).toBe(atOnce);
  expect(atOnce).not.toBe(before);
  expect(faults).toEqual([]);
});

test("figures of a large table say of how many rows they are, and those of a small one need not", async () => {
  const { page, faults } = await site.open("index.html#steps=50&rows=300");
  await reaches(page, "#figure-step", 50);
  expect(await page.$eval("p#scored", (said) => said.hidden)).toBe(true);
  await page.evaluate(() => {
    location.hash = "#data=moons&steps=50&rows=4000"; // 2,800 to learn from, 1,200 held back
  });
  await says(page, "#data-rows", /^2,800 and 1,200/);
  expect(await page.$eval("p#scored", (said) => said.hidden)).toBe(false);
  expect(await textOf(page, "#scored")).toBe("Loss and accuracy: of the first 1,536 rows of those it learns from");
  expect(faults).toEqual([]);
});

test("no figure of the data before stands under the name of other data", async () => {
  const { page, faults } = await site.open("index.html#steps=200");
  await reaches(page, "#figure-step", 200);
  const old = await textOf(page, "#figure-loss");
  const seen = page.evaluate(
    () =>
      new Promise<string>((resolve) => {
        const size = document.querySelector("#network-size") as HTMLElement;
        new MutationObserver(() => {
          const figures = [...document.querySelectorAll(".figures dd")].map((figure) => figure.textContent);
          resolve([...figures, document.querySelector("#busy")?.textContent].join(" "));
        }).observe(size, { subtree: true, childList: true, characterData: true });
      }),
  );
  await page.click('#sets input[value="blobs"]');
  expect((await seen).split(" ")).not.toContain(old);
  expect(await seen).toBe("– – – – – – compiling…");
  await reaches(page, "#figure-held", 0);
  expect(await textOf(page, "#busy")).toBe("");
  expect(faults).toEqual([]);
});

test("what is read as what, and what is said of a row, are what the engine computes of the same steps", async () => {
  const { page, faults } = await site.open("index.html#data=iris&backend=cpu&steps=120&held=0.4");
  await reaches(page, "#figure-step", 120);
  const engine = new Engine();
  const finished = new Promise<void>((resolve) => {
    engine.listen((message) => {
      if (message.kind === "state" && message.state === "finished") resolve();
    });
  });
  await engine.make({ ...preset("iris"), backend: "cpu", steps: 120, held: 0.4 }, { train: true });
  await finished;
  const { y, x } = (await dataSet({ ...preset("iris"), held: 0.4 }, null)).heldBack;
  const shares = await engine.read(x);
  const counts = [0, 1, 2].map(() => [0, 0, 0]);
  y.forEach((actual, row) => {
    const own = [...shares.subarray(3 * row, 3 * row + 3)];
    const said = own.indexOf(Math.max(...own));
    (counts[actual] as number[])[said] = (counts[actual]?.[said] ?? 0) + 1;
  });
  expect(counts).not.toEqual(counts.map((_, k) => counts.map((row) => row[k]))); // or a mirrored one would pass
  const recalls = counts.map((row, k) => Math.round((100 * (row[k] ?? 0)) / row.reduce((sum, n) => sum + n, 0)));
  await says(page, "#confusion tbody", new RegExp(`${recalls[2]} %$`));
  const cells = await page.$$eval("#confusion tbody tr", (rows) =>
    rows.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent)),
  );
  expect(cells).toEqual(counts.map((row, k) => [...row.map((n) => (n === 0 ? "" : String(n))), `${recalls[k]} %`]));

  const row = ["5.1", "3.5", "1.4", "0.2"];
  for (const [i, value] of row.entries()) {
    await page.$eval(
      `input#say-${i}`,
      (field, value) => {
        field.value = value;
        field.dispatchEvent(new Event("input", { bubbles: true }));
      },
      value,
    );
  }
  const said = await engine.say(row);
  await says(page, "#say-answer", `setosa, ${(100 * (said[0] as number)).toFixed(1)} %`);
  await page.type("input#say-0", "x");
  await says(page, "#say-answer", "sepal length must be a number.");

  // Other features on the plane, and another value at which the rest stands.
  const plane = () => page.$eval("#plane", (canvas) => (canvas as HTMLCanvasElement).toDataURL());
  const before = await plane();
  await page.select("#axis-across", "0");
  await page.waitForFunction(() => location.hash.includes("axes=0-3"));
  await says(page, "#axis-said", "the other 2 stand at the mean");
  const turned = await plane();
  expect(turned).not.toBe(before);
  await page.$eval("input#held-2", (field) => {
    field.value = "6.5";
    field.dispatchEvent(new Event("change"));
  });
  await says(page, "#axis-said", "the other 2 stand at values of yours");
  await page.waitForFunction(
    (turned) => (document.querySelector("#plane") as HTMLCanvasElement).toDataURL() !== turned,
    { polling: 50 },
    turned,
  );
  expect(faults).toEqual([]);
});

test("a page in the background goes on", async () => {
  const { page, faults } = await site.open("index.html#steps=1000000");
  await reaches(page, "#figure-step", 16);
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  const from = await numberOf(page, "#figure-step");
  await reaches(page, "#figure-step", from + 20_000);
  expect(await page.title()).toMatch(/^step [\d,]+, \d+\.\d % held back – wgrad$/); // where nobody sees the figures
  expect(await textOf(page, "#train")).toBe("Pause");
  expect(faults).toEqual([]);
});

test("what is drawn comes back when the GPU process has gone, the small pictures of the sets too", async () => {
  const { page, faults } = await site.open("index.html#backend=webgpu&steps=1000000");
  await reaches(page, "#figure-step", 32);
  /** Waits until something is drawn on every canvas of the page that is seen. */
  const allDrawn = () =>
    page.waitForFunction(() =>
      [...document.querySelectorAll("canvas")]
        .filter((canvas) => canvas.checkVisibility() && canvas.width > 0)
        .every((canvas) => {
          const pen = canvas.getContext("2d") as CanvasRenderingContext2D;
          return pen.getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0);
        }),
    );
  await allDrawn();
  const session = await site.browser.target().createCDPSession();
  session.send("Browser.crashGpuProcess").catch(() => {}); // it answers nothing when it works
  await says(page, "#notice-text", /device went away/);
  await allDrawn();
  // Where the canvases were not the GPU's they have lost nothing: what a browser does to those that were.
  await page.$$eval("canvas", (canvases) => {
    for (const canvas of canvases) {
      canvas.getContext("2d")?.reset();
      canvas.dispatchEvent(new Event("contextrestored"));
    }
  });
  await allDrawn();
  expect(faults).toEqual([]);
});

test("a lesson goes as many steps as it can be asked for, and says which it shows", async () => {
  const { page, faults } = await site.open("lessons.html#two-moons");
  await page.waitForSelector(".graph-node");
  const goTo = (step: string) =>
    page.$eval(
      "input#at-step",
      (field, step) => {
        field.value = step;
        field.dispatchEvent(new Event("change"));
      },
      step,
    );
  await goTo("199");
  await page.click("#later");
  await says(page, "#said", /^1 of/);
  expect(await page.$eval("input#at-step", (field) => field.value)).toBe("200");
  expect(await page.$eval("button#later", (button) => button.disabled)).toBe(true);
  await goTo("731");
  expect(await page.$eval("input#at-step", (field) => field.value)).toBe("200");
  await goTo("7");
  expect(await page.$eval("button#later", (button) => button.disabled)).toBe(false);
  expect(faults).toEqual([]);
});
