// Packs the conformance cases of ONNX whose operators are known into onnx-conformance.zip, and writes onnx-conformance.md: how many there are,
// and why the others are left out. The cases are of Debian's package libonnx-testdata 1.12, Apache-2.0, https://github.com/onnx/onnx.
//
//   node test/golden/pack-onnx.mjs [/usr/share/libonnx-testdata/data]

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { zipSync } from "fflate";
import { build } from "vite";

const here = dirname(fileURLToPath(import.meta.url));
const data = process.argv[2] ?? "/usr/share/libonnx-testdata/data";
const outDir = mkdtempSync(join(tmpdir(), "wgrad-onnx-"));
await build({
  configFile: false,
  logLevel: "error",
  build: {
    outDir,
    lib: { entry: join(here, "../support/onnx-case.ts"), formats: ["es"], fileName: "case" },
  },
});
const { toldOfModels, tryCase } = await import(pathToFileURL(join(outDir, "case.js")).href);
rmSync(outDir, { recursive: true });

/** Cases of the same operator on several types: all whole numbers are int32, and all others float32. */
const ALIKE = /^test_pow_types_(?:float|int).*_/;

/** @type {Record<string, Uint8Array>} */
const packed = {};
const [counts, reasons] = [new Map(), new Map()];
let total = 0;
for (const group of ["node", "pytorch-converted", "pytorch-operator", "simple"]) {
  for (const name of readdirSync(join(data, group)).sort()) {
    const folder = join(data, group, name);
    const sets = existsSync(join(folder, "test_data_set_0")) ? readdirSync(join(folder, "test_data_set_0")) : [];
    const files = Object.fromEntries(
      ["model.onnx", ...sets.map((file) => `test_data_set_0/${file}`)].map((file) => [
        file.replace("test_data_set_0/", ""),
        new Uint8Array(readFileSync(join(folder, file))),
      ]),
    );
    total++;
    const reason = ALIKE.test(name)
      ? "of types that are one here, with a power, which WGSL's compilers take long for"
      : tryCase(files);
    if (reason === null) {
      counts.set(group, (counts.get(group) ?? 0) + 1);
      for (const [file, bytes] of Object.entries(files))
        packed[`${group}/${name.replace(/^test_/, "")}/${file}`] = bytes;
    } else reasons.set(reason, [...(reasons.get(reason) ?? []), name.replace(/^test_/, "")]);
  }
}
const kept = [...counts.values()].reduce((sum, count) => sum + count, 0);
writeFileSync(join(here, "onnx-conformance.zip"), zipSync(packed, { level: 9, mtime: "2022-01-01" }));
const lines = [...reasons].sort(([a], [b]) => (a < b ? -1 : 1));
writeFileSync(
  join(here, "onnx-conformance.md"),
  `# ONNX's conformance cases

Of the ${total} cases of ONNX 1.12 (Debian's libonnx-testdata, Apache-2.0), ${kept} are in onnx-conformance.zip and tried on every backend:
${[...counts].map(([group, count]) => `${count} of ${group}`).join(", ")}. The others, by why they are left out:

| why | cases |
|---|---|
${lines.map(([reason, names]) => `| ${reason.replaceAll("|", "\\|")} | ${names.length}: ${names.slice(0, 6).join(", ")}${names.length > 6 ? ", …" : ""} |`).join("\n")}

${toldOfModels(packed)}`,
);
console.log(`${kept} of ${total} cases`);
