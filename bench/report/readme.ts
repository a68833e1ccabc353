import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Results } from "../results";
import { nameOf } from "../run-all";
import { markdownReport } from "./report";

const kinds = ["browser", "native"] as const;

/**
 * Puts the newest kept results of each kind into bench/README.md, between its marks `<!-- browser -->` and
 * `<!-- /browser -->`, and the same for native. Throws where a mark is missing.
 */
export function fillReadme(root: string): void {
  const kept = join(root, "bench/results");
  const all = (existsSync(kept) ? readdirSync(kept) : [])
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(kept, name), "utf8")) as Results);
  const path = join(root, "bench/README.md");
  let text = readFileSync(path, "utf8");
  for (const kind of kinds) {
    const newest = all.filter((results) => results.kind === kind).at(-1);
    if (!newest) continue;
    text = between(text, `<!-- ${kind} -->`, `<!-- /${kind} -->`, sectionOf(newest, kept));
    console.log(`bench/README.md, ${kind}: bench/results/${nameOf(newest)}.json`);
  }
  writeFileSync(path, text);
}

function sectionOf(results: Results, kept: string): string {
  const chart = `${nameOf(results)}.png`;
  const picture = existsSync(join(kept, chart)) ? `\n\n![The figures above](results/${chart})` : "";
  return `${markdownReport(results)}${picture}`;
}

function between(text: string, begin: string, end: string, section: string): string {
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`bench/README.md lacks ${begin} … ${end}`);
  return `${before}${begin}\n\n${section}\n\n${end}${after}`;
}
