import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
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
          resolve([...document.querySelectorAll(".figures dd")].map((figure) => figure.textContent).join(" "));
        }).observe(size, { subtree: true, childList: true, characterData: true });
      }),
  );
  await page.click('#sets input[value="blobs"]');
  expect((await seen).split(" ")).not.toContain(old);
  expect(await seen).toBe("– – – – – –");
  await reaches(page, "#figure-held", 0);
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
