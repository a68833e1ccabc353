import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildDocs } from "../../scripts/build-docs.mjs";
import { type Exported, exported } from "./exported";
import { axeFaults, openSite, type Site } from "./pages";

const built = fileURLToPath(new URL("../../out/page-under-test/documents", import.meta.url));
const docs = join(built, "docs");

let site: Site;
let names: Exported[];
beforeAll(async () => {
  names = exported();
  site = await openSite("documents");
  await buildDocs(built);
});
afterAll(() => site?.close());

const pages = () => readdirSync(docs, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".html"));

test("every name that an entry point exports has a docstring", () => {
  expect(names.length).toBeGreaterThan(150);
  expect(names.filter(({ docstring }) => docstring.trim() === "").map(({ from, name }) => `${from}: ${name}`)).toEqual(
    [],
  );
});

test("every exported name has a page in the reference, with its docstring", () => {
  const words = (text: string) => text.replace(/[^\p{L}\p{N}]+/gu, " ").trim();
  const all = pages();
  for (const { from, name, docstring } of names) {
    const page = all.find(
      (path) =>
        path.startsWith(`api/${from}/`) &&
        new RegExp(`^[\\w-]+/${name}\\.html$`).test(path.slice(`api/${from}/`.length)),
    );
    expect(page, `${from}: ${name}`).toBeDefined();
    const text = readFileSync(join(docs, page ?? ""), "utf8").replace(/<[^>]+>|&\w+;/g, "");
    const [first = ""] = docstring.split(/[.`({\n&<>|*]/); // what is marked up is told otherwise
    expect(words(text), `${from}: ${name}`).toContain(words(first));
  }
});

test("every link of the documents leads somewhere", () => {
  const ids = new Map<string, Set<string>>();
  const idsOf = (file: string) => {
    const known =
      ids.get(file) ?? new Set([...readFileSync(file, "utf8").matchAll(/\bid="([^"]*)"/g)].map(([, id]) => id ?? ""));
    ids.set(file, known);
    return known;
  };
  const dead: string[] = [];
  let count = 0;
  for (const page of pages()) {
    const html = readFileSync(join(docs, page), "utf8");
    for (const [, href = ""] of html.matchAll(/\b(?:href|src)="([^"]*)"/g)) {
      if (/^(?:https?:|data:)/.test(href)) continue;
      count++;
      const [path = "", hash] = href.split("#");
      const file = path === "" ? join(docs, page) : join(dirname(join(docs, page)), path);
      if (!existsSync(file) || (hash && file.endsWith(".html") && !idsOf(file).has(decodeURIComponent(hash))))
        dead.push(`${page}: ${href}`);
    }
  }
  expect(count).toBeGreaterThan(1000);
  expect(dead).toEqual([]);
});

test.each(["layers", "first-network", "api/wgrad/functions/adam"])(
  "the document %s runs nothing but its own files, fits a phone, and axe finds no fault, light and dark",
  async (path) => {
    const { page, faults } = await site.open(`docs/${path}.html`);
    expect(await axeFaults(page)).toEqual([]);
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
    await page.setViewport({ width: 390, height: 844 });
    expect(await axeFaults(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    expect(faults).toEqual([]);
    await site.leave();
  },
);

test("the search finds a function by its name, and a guide by what it speaks of", async () => {
  const { page, faults } = await site.open("docs/index.html");
  const first = async (words: string) => {
    await page.$eval("#search", (field) => {
      (field as HTMLInputElement).value = "";
    });
    await page.type("#search", words);
    await page.waitForFunction(
      (words) =>
        document.querySelector("#found a") && (document.querySelector("#search") as HTMLInputElement).value === words,
      {},
      words,
    );
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 100)));
    return page.$eval("#found a", (link) => (link as HTMLAnchorElement).href.replace(/^.*\/docs\//, ""));
  };
  expect(await first("multiHeadAttention")).toBe("api/wgrad/functions/multiHeadAttention.html");
  expect(await first("command line")).toBe("files.html#at-the-command-line");
  await Promise.all([page.waitForNavigation(), page.click("#found a")]);
  expect(await page.$eval("h1", (title) => title.textContent)).toBe("Files and other tools");
  expect(faults).toEqual([]);
});
