import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** A program that a document prints: blocks of code, the first of which begins with its imports. */
export interface PrintedProgram {
  /** "README 1", "files 2": the document, and the place among its programs. */
  readonly name: string;
  readonly code: string;
}

/** README.md and the guides, as paths from the root. */
export const documents: readonly string[] = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .sort()
    .map((name) => `docs/${name}`),
];

/** The programs of the documents, in their order. A block that begins with no import goes on from the one before it. */
export const printed: readonly PrintedProgram[] = documents.flatMap((path) => {
  const title = path === "docs/README.md" ? "docs" : (/(\w[\w-]*)\.md$/.exec(path)?.[1] ?? path);
  const blocks = [...readFileSync(join(root, path), "utf8").matchAll(/^```ts\n(.*?)^```$/gms)].map(
    ([, code]) => code as string,
  );
  const programs: string[] = [];
  for (const code of blocks) {
    const last = programs.length - 1;
    if (code.startsWith("import ") || last < 0) programs.push(code);
    else programs[last] += `\n${code}`;
  }
  return programs.map((code, i) => ({ name: `${title} ${i + 1}`, code }));
});
