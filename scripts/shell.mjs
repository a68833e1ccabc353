// What all pages have in common: their head, the list of pages at their top, and the shared styles.
//
// To add a page: write NAME.html at the root, with a <title>, an empty `<header class="top"></header>`, a <main> and its
// script; link its own styles there, if it has any beyond src/playground/shell/. Then give it a row in PAGES. Vite builds
// what has a row, every page lists it, and the tests of all pages open it. One that trains has a line for its device and a
// place for notices, which src/playground/page/status.ts fills.

/**
 * The pages, in the order in which each page lists them. `trains`: on a device that is chosen there, or that it finds by itself.
 * `elsewhere`: not built by vite, and there in the built site only.
 * @type {readonly { name: string, path: string, trains?: "chosen" | "found", elsewhere?: true }[]}
 */
export const PAGES = [
  { name: "Playground", path: "index.html", trains: "chosen" },
  { name: "Images", path: "images.html", trains: "found" },
  { name: "Text", path: "text.html", trains: "chosen" },
  { name: "Series", path: "series.html", trains: "chosen" },
  { name: "Many", path: "many.html", trains: "chosen" },
  { name: "Lessons", path: "lessons.html" },
  { name: "Race", path: "race.html" },
  { name: "Verify", path: "verify.html" },
  { name: "Guides", path: "docs/index.html", elsewhere: true },
];

const OPENING = '<header class="top">';
const EMPTY = `${OPENING}</header>`;

/**
 * The beginning of a page's header: the name of the project and the list of pages, folded behind a button where it is
 * narrow. `root` is the way from the page to the folder of all pages, such as "./".
 * @param {string} current the page's own path in PAGES
 * @param {string} root
 */
export function header(current, root) {
  const links = PAGES.map(({ name, path }) => {
    const here = path === current ? ' aria-current="page"' : "";
    return `<a href="${root}${path}"${here}>${name}</a>`;
  });
  const name = PAGES.find(({ path }) => path === current)?.name ?? "Pages";
  return `${OPENING}
      <a class="brand" href="${root}index.html">wgrad</a>
      <button type="button" class="menu" popovertarget="pages"><span class="visually-hidden">All pages; this one: </span>${name}</button>
      <nav id="pages" aria-label="Pages" popover>${links.join("")}</nav>`;
}

const CHOICE = `
        <label class="visually-hidden" for="backend">Device</label>
        <select id="backend">
          <option value="auto">Automatic</option>
          <option value="webgpu">WebGPU</option>
          <option value="cpu">CPU</option>
        </select>`;

/** @param {"chosen" | "found"} trains */
const device = (trains) => `
      <div class="device">
        <span id="device" role="status">Looking for a device…</span>${trains === "chosen" ? CHOICE : ""}
      </div>`;

const NOTICE = `
    <div class="notice" id="notice" role="status" hidden>
      <span id="notice-text"></span>
      <button type="button" id="notice-close">Close</button>
    </div>`;

/**
 * Gives each page of the list its head and its header.
 * @returns {import("vite").Plugin}
 */
export function shell() {
  return {
    name: "shell",
    transformIndexHtml: {
      order: "pre", // what it writes refers to files, which vite then sees to
      handler(html, { path }) {
        const page = path.replace(/^\//, "");
        const row = PAGES.find((each) => each.path === page);
        if (!row) return undefined;
        if (!html.includes(EMPTY)) throw new Error(`${page} has no ${EMPTY}, where the list of pages would go.`);
        const root = "../".repeat(page.split("/").length - 1) || "./";
        const head = (/** @type {string} */ tag, /** @type {Record<string, string>} */ attrs) => ({
          tag,
          attrs,
          injectTo: /** @type {const} */ ("head-prepend"),
        });
        return {
          html: html.replace(
            EMPTY,
            `${header(page, root)}${row.trains ? device(row.trains) : ""}</header>${row.trains ? NOTICE : ""}`,
          ),
          tags: [
            head("meta", { charset: "utf-8" }),
            head("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }),
            head("link", { rel: "icon", href: `${root}src/playground/icon.svg`, type: "image/svg+xml" }),
            head("link", { rel: "stylesheet", href: `${root}src/playground/shell/shell.css` }),
          ],
        };
      },
    },
  };
}
