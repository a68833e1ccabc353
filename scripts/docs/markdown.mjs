// Markdown of guides and reference as HTML: one way for both, so that they look alike.

import { dirname, join } from "node:path/posix";
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import javascript from "highlight.js/lib/languages/javascript";
import python from "highlight.js/lib/languages/python";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import MarkdownIt from "markdown-it";
import anchor from "markdown-it-anchor";

for (const [name, language] of Object.entries({ bash, javascript, python, typescript, xml }))
  hljs.registerLanguage(name, language);

/** GitHub's way of naming a heading, so that a link to one works in both places. @param {string} text */
const slug = (text) =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/ /g, "-");

/**
 * @typedef {object} Links
 * @property {(href: string, from: string) => string | null} resolve a link of the page `from`; null where what it leads to is not in the site
 * @property {ReadonlyMap<string, string>} names pages of exported names
 */

/**
 * @param {Links} links
 * @returns {(text: string, path: string) => string} the HTML of a document, whose path in the site is given
 */
export function renderer({ resolve, names }) {
  const md = new MarkdownIt({
    html: true, // anchors of the reference
    highlight: (code, language) =>
      hljs.getLanguage(language) ? hljs.highlight(code, { language, ignoreIllegals: true }).value : "",
  });
  md.use(anchor, { slugify: slug, tabIndex: false });
  const { rules } = md.renderer;
  /** Where rendering is: in which document, and whether in a link or a heading, where no other link can be. */
  const at = { path: "", linked: false, dead: false };
  // What is wider than a phone scrolls by itself; what scrolls can be reached by keyboard.
  rules.table_open = () => '<div class="scroll" tabindex="0"><table>\n';
  rules.table_close = () => "</table></div>\n";
  for (const rule of /** @type {const} */ (["fence", "code_block"])) {
    const inner = rules[rule];
    if (inner) rules[rule] = (...given) => inner(...given).replace(/^<pre/, '<pre tabindex="0"');
  }
  rules.code_inline = (tokens, i) => {
    const text = tokens[i]?.content ?? "";
    const code = `<code>${md.utils.escapeHtml(text)}</code>`;
    const page = names.get(/^(\w+)(?:\(.*\))?$/.exec(text)?.[1] ?? "");
    if (page === undefined || at.linked || at.path === `api/${page}`) return code;
    return `<a href="${md.utils.escapeHtml(resolve(`/${page}`, at.path) ?? "")}">${code}</a>`;
  };
  rules.link_open = (tokens, i, options, _env, self) => {
    const href = resolve(String(tokens[i]?.attrGet("href") ?? ""), at.path);
    at.linked = true;
    at.dead = href === null;
    if (href === null) return "";
    tokens[i]?.attrSet("href", href);
    return self.renderToken(tokens, i, options);
  };
  rules.link_close = () => {
    const { dead } = at;
    at.linked = at.dead = false;
    return dead ? "" : "</a>";
  };
  rules.heading_open = (tokens, i, options, _env, self) => {
    at.linked = true;
    return self.renderToken(tokens, i, options);
  };
  rules.heading_close = (tokens, i, options, _env, self) => {
    at.linked = false;
    return self.renderToken(tokens, i, options);
  };
  const image = rules.image;
  if (image)
    rules.image = (tokens, i, options, env, self) => {
      const source = String(tokens[i]?.attrGet("src") ?? "");
      tokens[i]?.attrSet("src", resolve(source, at.path) ?? source);
      return image(tokens, i, options, env, self);
    };
  return (text, path) => {
    Object.assign(at, { path, linked: false, dead: false });
    return md.render(text);
  };
}

/** Where a link of the document `from` leads, as a path from the root of the documents. @param {string} href @param {string} from */
export function target(href, from) {
  return href.startsWith("/") ? href.slice(1) : join(dirname(from), href);
}
