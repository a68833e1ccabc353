// What all pages have in common: their head, the list of pages at their top, and the shared styles.
//
// To add a page: write NAME.html at the root, with a <title>, an empty `<header class="top"></header>`, a <main> and its
// script; link its own styles there, if it has any beyond src/playground/shell/. Then give it a row in PAGES. Vite builds
// what has a row, every page lists it, and the tests of all pages open it.

/**
 * The pages, in the order in which each page lists them. `elsewhere`: not built by vite, and there in the built site only.
 * @type {readonly { name: string, path: string, elsewhere?: true }[]}
 */
export const PAGES = [
  { name: "Playground", path: "index.html" },
  { name: "Images", path: "images.html" },
  { name: "Text", path: "text.html" },
  { name: "Series", path: "series.html" },
  { name: "Many", path: "many.html" },
  { name: "Lessons", path: "lessons.html" },
  { name: "Race", path: "race.html" },
  { name: "Verify", path: "verify.html" },
  { name: "Guides", path: "docs/index.html", elsewhere: true },
];

const OPENING = '<header class="top">';

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
        if (!PAGES.some((each) => each.path === page)) return undefined;
        if (!html.includes(OPENING)) throw new Error(`${page} has no ${OPENING}, where the list of pages would go.`);
        const root = "../".repeat(page.split("/").length - 1) || "./";
        const head = (/** @type {string} */ tag, /** @type {Record<string, string>} */ attrs) => ({
          tag,
          attrs,
          injectTo: /** @type {const} */ ("head-prepend"),
        });
        return {
          html: html.replace(OPENING, header(page, root)),
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
