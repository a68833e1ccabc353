// Builds what the package ships: dist/index.js, one ES module; dist/files/, a module for each kind of file whose code
// the core leaves out; dist/sweep/; and the declarations of all.

import { spawnSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { buildModules, entries } from "./library.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, "dist");
rmSync(dist, { recursive: true, force: true });

await buildModules(dist);
chmodSync(join(dist, "cli/wgrad.js"), 0o755);

const tsc = join(root, "node_modules/typescript/bin/tsc");
const declared = spawnSync(process.execPath, [tsc, "-p", "tsconfig.lib.json"], { cwd: root, stdio: "inherit" });
if (declared.status !== 0) process.exit(1);

// Node's resolution wants the file's name in full; our sources, made for a bundler, leave the ending out.
for (const name of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
  if (!name.endsWith(".d.ts")) continue;
  const path = join(dist, name);
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replace(/(from |import\()"(\.{1,2}\/[^"]+)"/g, '$1"$2.js"'));
}

// What is built in asks for its licence to be passed on: a file of its own, or the head of each source.
const built = [
  ["pure-rand", "LICENSE"],
  ["papaparse", "LICENSE"],
  ["fflate", "LICENSE"],
  ["commander", "LICENSE"],
  ["cli-progress", "LICENSE.md"],
  ["string-width", "license"],
  ["strip-ansi", "license"],
  ["ansi-regex", "license"],
  ["emoji-regex", "LICENSE-MIT.txt"],
  ["is-fullwidth-code-point", "license"],
  ["uplot", "LICENSE"],
  ["@bufbuild/protobuf", "dist/esm/wire/binary-encoding.js", "dist/esm/wire/varint.js"],
];
const licences = built.map(([name = "", ...sources]) => {
  const folder = join(root, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const texts = sources.map((source) => {
    const text = readFileSync(join(folder, source), "utf8");
    return source.endsWith(".js") ? (/^(?:\/\/.*\n)+/.exec(text)?.[0] ?? "").replace(/^\/\/ ?/gm, "") : text;
  });
  return [`${name} ${version}, ${license}`, ...texts.map((text) => text.trim())].join("\n\n");
});
writeFileSync(join(dist, "licences.txt"), `${licences.join(`\n\n${"-".repeat(80)}\n\n`)}\n`);

const kilobytes = (/** @type {number} */ sizeBytes) => (sizeBytes / 1000).toFixed(1);
for (const name of ["index.js", ...entries.map((entry) => `${entry}.js`), "cli/wgrad.js"]) {
  const code = readFileSync(join(dist, name));
  console.log(`dist/${name}: ${kilobytes(code.length)} kB, ${kilobytes(gzipSync(code).length)} kB gzipped`);
}
