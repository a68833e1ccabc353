import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { PAGES } from "../../scripts/shell.mjs";
import { axeFaults, openSite, type Site } from "./pages";

const BUILT = PAGES.flatMap(({ path, elsewhere }) => (elsewhere ? [] : [path]));

let site: Site;
beforeAll(async () => {
  site = await openSite("shell");
});
afterEach(() => site.leave());
afterAll(() => site?.close());

test("every page lists all of them, says which it is, and its links lead to pages that are there", async () => {
  const { page, faults } = await site.open("verify.html");
  for (const path of BUILT) {
    expect((await page.goto(site.address + path))?.status(), path).toBeLessThan(400);
    const links = await page.$$eval("#pages a", (links) =>
      links.map((link) => ({ name: link.textContent, href: link.href, here: link.ariaCurrent === "page" })),
    );
    expect(links).toEqual(
      PAGES.map((each) => ({ name: each.name, href: site.address + each.path, here: each.path === path })),
    );
  }
  expect(faults).toEqual([]);
});

test("on a phone the list opens from its button by keyboard, and Escape closes it", async () => {
  const { page, faults } = await site.open("verify.html");
  await page.setViewport({ width: 390, height: 844 });
  const shown = () => page.$eval("#pages", (list) => list.checkVisibility());
  expect(await shown()).toBe(false);
  await page.focus(".menu");
  await page.keyboard.press("Enter");
  expect(await shown()).toBe(true);
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe(PAGES[0]?.name);
  await page.keyboard.press("Escape");
  expect(await shown()).toBe(false);
  expect(await page.evaluate(() => document.activeElement?.className)).toBe("menu");
  expect(faults).toEqual([]);
});

test.each([...BUILT, "src/playground/start/index.html"])(
  "%s runs nothing but its own files, and looks as it should without more",
  async (path) => {
    const { page, faults } = await site.open(path);
    expect(faults).toEqual([]);
    expect(await page.$("meta[http-equiv=Content-Security-Policy]")).not.toBeNull();
    const refused = await page.evaluate(async () => {
      const said: string[] = [];
      const both = new Promise<void>((resolve) => {
        document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
          if (said.push(effectiveDirective) === 3) resolve();
        });
      });
      const script = document.createElement("script");
      script.textContent = "document.title = 'taken over'";
      const style = document.createElement("style");
      style.textContent = "body { display: none }";
      document.head.append(script, style);
      void fetch("https://example.org/").catch(() => {});
      await both;
      return said.sort();
    });
    expect(refused).toEqual(["connect-src", "script-src-elem", "style-src-elem"]);
    expect(await page.title()).not.toBe("taken over");
  },
);

test("the three networks of npm start train and are drawn under the same rules", async () => {
  const { page, faults } = await site.open("src/playground/start/index.html?run&cpu");
  await page.waitForSelector("figure canvas");
  expect(await page.$eval("body", (body) => getComputedStyle(body).maxWidth)).toBe("1010px");
  expect(faults).toEqual([]);
});

/** What says that a page has come to rest after its start; of a page that is not named here, its heading. */
const AT_REST: Record<string, string> = {
  "index.html": "#step:not([disabled])",
  "images.html": "#kernels li",
  "text.html": "#train:not([disabled])",
  "series.html": "#train:not([disabled])",
  "many.html": "#train:not([disabled])",
  "lessons.html": ".graph-node.now",
  "race.html": ".uplot canvas",
};

test.each(BUILT)(
  "%s: nothing moves as it opens, it fits a phone, and axe finds no fault, light and dark",
  async (path) => {
    const { page, faults } = await site.open(path, () => {
      const shifts = Object.assign(globalThis, { moved: 0 });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) shifts.moved += (entry as PerformanceEntry & { value: number }).value;
      }).observe({ type: "layout-shift", buffered: true });
    });
    await page.waitForSelector(AT_REST[path] ?? "h1");
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
    expect(await page.evaluate(() => (globalThis as unknown as { moved: number }).moved)).toBeLessThan(0.05);
    expect(await axeFaults(page)).toEqual([]);
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
    await page.setViewport({ width: 390, height: 844 });
    expect(await axeFaults(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    expect(faults).toEqual([]);
  },
);
