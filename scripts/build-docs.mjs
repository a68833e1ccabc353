// Builds the documents into the pages that `vite build` has made: the guides and the reference, out/page/docs/.
//
//   node scripts/build-docs.mjs [FOLDER]      FOLDER has the built pages; default out/page

import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { relative } from "node:path/posix";
import { fileURLToPath } from "node:url";
import MiniSearch from "minisearch";
import { renderer, target } from "./docs/markdown.mjs";
import { pageOf, SEARCHED } from "./docs/page.mjs";
import { reference } from "./docs/reference.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * @typedef {object} Document
 * @property {string} path in the site's folder docs/, "images.html"
 * @property {string} source what it is made of, from the root: "docs/images.md", or from the reference "api/wgrad/functions/adam.md"
 * @property {string} title
 * @property {string} text Markdown
 */

/** @param {string} folder the built pages */
export async function buildDocs(folder) {
  const out = join(folder, "docs");
  rmSync(out, { recursive: true, force: true });
  const { pages, names } = await reference(root);
  const guides = guideOrder().map((source) => documentOf(source, readFileSync(join(root, source), "utf8")));
  const api = [...pages].map(([path, text]) => documentOf(`api/${path}`, text));
  const documents = [...guides, ...api];
  const places = new Map(documents.map(({ source, path }) => [source, path]));

  const { repository } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const sources = repository
    ? `${String(repository.url ?? repository).replace(/^git\+|\.git$/g, "")}/blob/main/`
    : null;
  /** @param {string} href @param {string} from the source of the document */
  const resolve = (href, from) => {
    if (/^(?:[a-z]+:|#)/.test(href)) return href;
    const [file = "", hash = ""] = href.split(/(?=#)/);
    const to = target(file.startsWith("/") ? `/api${file}` : file, from);
    const here = dirname(places.get(from) ?? "");
    const place = places.get(to) ?? (to.startsWith("docs/") && existsSync(join(root, to)) ? to.slice(5) : undefined);
    if (place !== undefined) return relative(here, place) + hash;
    if (!existsSync(join(root, to))) throw new Error(`${from}: the link ${href} leads nowhere`);
    return sources && sources + to + hash;
  };
  const render = renderer({ resolve, names });

  const head = headOf(join(folder, "verify.html"));
  /** @type {{ id: number, title: string, kind: string, url: string, text: string }[]} */
  const searched = [];
  for (const document of documents) {
    const body = render(document.text, document.source);
    const path = join(out, document.path);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, pageOf({ document, body, guides, head, modules: modulesOf(api) }));
    for (const part of partsOf(document, body)) searched.push({ id: searched.length, ...part });
  }
  const index = new MiniSearch(SEARCHED);
  index.addAll(searched);
  writeFileSync(join(out, "search.json"), JSON.stringify(index));

  const require = createRequire(import.meta.url);
  copyFileSync(join(dirname(require.resolve("minisearch")), "../es/index.js"), join(out, "minisearch.js"));
  copyFileSync(join(root, "scripts/docs/docs.css"), join(out, "docs.css"));
  const search = readFileSync(join(root, "scripts/docs/search.js"), "utf8");
  writeFileSync(join(out, "search.js"), search.replace('"minisearch"', '"./minisearch.js"'));
  cpSync(join(root, "docs/figures"), join(out, "figures"), { recursive: true });
  for (const name of readdirSync(join(root, "docs")))
    if (/\.(?:png|webp)$/.test(name)) copyFileSync(join(root, "docs", name), join(out, name));
  return documents.length;
}

/** The guides in the order in which the first of them lists them, then what stands beside README. */
function guideOrder() {
  const first = readFileSync(join(root, "docs/README.md"), "utf8");
  const listed = [...first.matchAll(/^\| \[[^\]]+\]\(([\w-]+\.md)\)/gm)].map(([, name]) => `docs/${name}`);
  const all = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md") && name !== "README.md");
  const left = all.filter((name) => !listed.includes(`docs/${name}`));
  if (left.length > 0) throw new Error(`docs/README.md lists no ${left.join(", ")}`);
  return ["docs/README.md", ...listed, "CONTRIBUTING.md", "CHANGELOG.md"];
}

/** @param {string} source @param {string} text @returns {Document} */
function documentOf(source, text) {
  const heading = /^# (.*)$/m.exec(text)?.[1] ?? basename(source, ".md");
  const path = source
    .replace(/^docs\//, "")
    .replace(/README\.md$/, "index.md")
    .replace(/\.md$/, ".html");
  const title = heading.replace(/[`\\*]/g, "");
  return { source, path: path === path.toUpperCase() ? path : lowerGuide(path), title, text };
}

/** @param {string} path */
const lowerGuide = (path) => (path.startsWith("api/") ? path : path.toLowerCase());

/** Entry points with their pages. @param {readonly Document[]} api */
function modulesOf(api) {
  return api
    .filter(({ path }) => /^api\/.+\/index\.html$/.test(path))
    .map(({ path }) => ({ name: path.slice(4, -"/index.html".length), path }));
}

/**
 * What the head of a built page has that these need too: its policy, its icon and the styles of all pages.
 * @param {string} file
 */
function headOf(file) {
  if (!existsSync(file)) throw new Error(`${file} is not there; vite build comes before`);
  const html = readFileSync(file, "utf8");
  const tags = html.match(/<meta http-equiv[^>]*>|<link rel="(?:icon|stylesheet)"[^>]*>/g) ?? [];
  return tags.map((tag) => tag.replace(/ crossorigin/, ""));
}

/**
 * What a search finds: a guide by its sections, a page of the reference as a whole.
 * @param {Document} document @param {string} html
 */
function partsOf({ title, path }, html) {
  const plain = (/** @type {string} */ part) =>
    part
      .replace(/<[^>]+>/g, " ")
      .replace(/&\w+;/g, " ")
      .replace(/\s+/g, " ")
      .trim();
  if (path.startsWith("api/")) {
    const [kind = "", name = kind] = title.split(": ");
    return [{ title: name.replace(/\(\)$/, ""), kind, url: path, text: plain(html).slice(0, 400) }];
  }
  return html.split(/(?=<h2 )/).map((part) => {
    const [, id, heading] = /^<h2 id="([^"]*)"[^>]*>(.*?)<\/h2>/.exec(part) ?? [];
    const section = heading === undefined ? title : `${title}: ${plain(heading)}`;
    return { title: section, kind: "guide", url: id ? `${path}#${id}` : path, text: plain(part) };
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? join(root, "out/page");
  const begun = performance.now();
  const count = await buildDocs(folder);
  console.log(`${folder}/docs: ${count} documents, ${((performance.now() - begun) / 1000).toFixed(1)} s`);
}
