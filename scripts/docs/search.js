import MiniSearch from "minisearch";

/** The search of the documents: its index is loaded when somebody begins to search. */
const field = /** @type {HTMLInputElement} */ (document.getElementById("search"));
const found = /** @type {HTMLElement} */ (document.getElementById("found"));
const MOST = 8;

/** @type {Promise<MiniSearch> | null} */
let index = null;
const load = () => {
  index ??= fetch(new URL("./search.json", import.meta.url))
    .then((answer) => answer.text())
    .then((text) => MiniSearch.loadJSON(text, { fields: ["title", "text"], storeFields: ["title", "kind", "url"] }));
  return index;
};

field.addEventListener("focus", load);
field.addEventListener("input", async () => {
  const words = field.value;
  const search = await load();
  if (words !== field.value) return; // typed on meanwhile
  const results = search.search(words, { prefix: true, fuzzy: 0.15, boost: { title: 4 } }).slice(0, MOST);
  const lines = results.map(({ title, kind, url }) => {
    const link = Object.assign(document.createElement("a"), {
      textContent: title,
      href: new URL(url, import.meta.url).href,
    });
    const what = Object.assign(document.createElement("span"), {
      className: "sub",
      textContent: ` ${kind.toLowerCase()}`,
    });
    const line = document.createElement("li");
    line.append(link, what);
    return line;
  });
  if (lines.length === 0 && words.trim() !== "")
    lines.push(Object.assign(document.createElement("li"), { className: "sub", textContent: "Nothing of that name." }));
  found.replaceChildren(...lines);
});
