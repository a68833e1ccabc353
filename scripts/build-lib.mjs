// Builds what the package ships: dist/index.js, one ES module, and its declarations.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { smallWgsl } from "./small-wgsl.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, "dist");
rmSync(dist, { recursive: true, force: true });

await build({
  root,
  configFile: false,
  publicDir: false,
  logLevel: "warn",
  plugins: [smallWgsl()],
  build: {
    target: "es2022",
    outDir: dist,
    minify: "oxc",
    sourcemap: true,
    lib: { entry: join(root, "src/index.ts"), formats: ["es"], fileName: "index" },
  },
});

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

const code = readFileSync(join(dist, "index.js"));
const kilobytes = (/** @type {number} */ sizeBytes) => (sizeBytes / 1000).toFixed(1);
console.log(`dist/index.js: ${kilobytes(code.length)} kB, ${kilobytes(gzipSync(code).length)} kB gzipped`);
