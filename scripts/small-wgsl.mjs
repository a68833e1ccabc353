import { readFileSync } from "node:fs";

/** A comment that the library reads: it marks what `specialise` replaces. */
const marker = /\/\/ spec\b/;

/**
 * A shader without its comments, indentation and blank lines; markers stay, and so does the order of the lines.
 * @param {string} source
 */
export function smaller(source) {
  return source
    .split("\n")
    .map((line) => (marker.test(line) ? line : line.replace(/\/\/.*$/, "")).trim())
    .filter((line) => line !== "")
    .map((line) => `${line}\n`)
    .join("");
}

/**
 * Makes `import source from "x.wgsl?raw"` a small string in a build; while developing and in tests the file is
 * imported as it stands.
 * @returns {import("vite").Plugin}
 */
export function smallWgsl() {
  return {
    name: "small-wgsl",
    apply: "build",
    enforce: "pre",
    load(id) {
      if (!id.endsWith(".wgsl?raw")) return null;
      return `export default ${JSON.stringify(smaller(readFileSync(id.slice(0, -"?raw".length), "utf8")))}`;
    },
  };
}
