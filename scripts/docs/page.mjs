// A page of the documents: the header of all pages, the list of documents, a search, and the text.

import { dirname, relative } from "node:path/posix";
import { header } from "../shell.mjs";

/** How the documents are searched, as the index is made and as it is read. */
export const SEARCHED = { fields: ["title", "text"], storeFields: ["title", "kind", "url"] };

const escaped = (/** @type {string} */ text) =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");

/**
 * @param {object} given
 * @param {import("../build-docs.mjs").Document} given.document
 * @param {string} given.body its HTML
 * @param {readonly import("../build-docs.mjs").Document[]} given.guides
 * @param {readonly { name: string, path: string }[]} given.modules entry points
 * @param {readonly string[]} given.head tags of a built page's head, as from the folder of all pages
 */
export function pageOf({ document, body, guides, modules, head }) {
  const up = "../".repeat(document.path.split("/").length); // from the page to the folder of all pages
  const docs = `${up}docs/`;
  // The entry point that a page of the reference belongs to: of several the longest name, "wgrad/files/csv" before "wgrad".
  const within = modules
    .filter(({ path }) => document.path !== path && document.path.startsWith(dirname(path)))
    .sort((a, b) => b.path.length - a.path.length)[0];
  const link = (/** @type {string} */ path, /** @type {string} */ name) => {
    const here = path === document.path ? ' aria-current="page"' : path === within?.path ? ' aria-current="true"' : "";
    return `<li><a href="${relative(dirname(document.path), path)}"${here}>${escaped(name)}</a></li>`;
  };
  const list = (/** @type {string} */ name, /** @type {readonly string[]} */ links) =>
    `<h2>${name}</h2>\n<ul>${links.join("\n")}</ul>`;
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    ${head.map((tag) => tag.replace(/href="\.\//, `href="${up}`)).join("\n    ")}
    <link rel="stylesheet" href="${docs}docs.css">
    <title>${escaped(document.title)} – wgrad</title>
    <script type="module" src="${docs}search.js"></script>
  </head>
  <body>
    ${header("docs/index.html", up)}
    </header>
    <div class="documents">
      <main id="text">
<p class="sub to-list"><a href="#documents">Search, and all documents</a></p>
${within ? `<p class="sub">from "${within.name}"</p>\n` : ""}${body}
      </main>
      <aside aria-label="Documents" id="documents">
        <search>
          <label for="search">Search</label>
          <input type="search" id="search" autocomplete="off" aria-controls="found">
          <ol id="found" aria-live="polite"></ol>
        </search>
        <nav aria-label="Documents">
          ${list(
            "Guides",
            guides.map(({ path, title }) => link(path, title)),
          )}
          ${list(
            "Reference",
            modules.map(({ path, name }) => link(path, name)),
          )}
        </nav>
      </aside>
    </div>
  </body>
</html>
`;
}
