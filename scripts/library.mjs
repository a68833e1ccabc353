// The package's modules: for scripts/build-lib.mjs, which ships them, and for tests that run them as other processes.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { smallWgsl } from "./small-wgsl.mjs";
import { threadBeside } from "./thread-beside.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The entry points besides index: what the core leaves out. */
export const entries = [
  ...["csv", "idx", "npy", "onnx", "pytorch", "tuning"].map((name) => `files/${name}`),
  "sweep/index",
  "sweep/queue",
];

/** @type {import("vite").InlineConfig} */
const common = { root, configFile: false, publicDir: false, logLevel: "warn" };
/** @type {import("vite").BuildOptions} */
const output = { target: "es2022", minify: "oxc", sourcemap: true, emptyOutDir: false };

/** Builds index, the entries and the command line into a folder. @param {string} dist */
export async function buildModules(dist) {
  // All in one build, so that what the core and a file's entry both need is there once: the errors are the same class, and a network that
  // readOnnx makes is one that the core can train.
  await build({
    ...common,
    plugins: [smallWgsl(), threadBeside()],
    build: {
      ...output,
      outDir: dist,
      // Optional peers: who sweeps over machines installs them.
      rolldownOptions: { external: [/^node:/, "bullmq", "ioredis"] },
      lib: {
        entry: {
          index: join(root, "src/index.ts"),
          ...Object.fromEntries(entries.map((name) => [name, join(root, `src/${name}.ts`)])),
        },
        formats: ["es"],
      },
    },
  });

  // The command line brings its own libraries too, and the core and the files by their modules here. It runs in Node alone.
  await build({
    ...common,
    plugins: [
      {
        name: "core-beside",
        enforce: "pre",
        resolveId(source) {
          const [, module] = /^(?:\.\.\/)+(index|files\/(?:csv|onnx)|sweep\/(?:index|queue))$/.exec(source) ?? [];
          return module === undefined ? null : { id: `../${module}.js`, external: "relative" };
        },
      },
    ],
    ssr: { noExternal: true, external: ["webgpu", "puppeteer"] },
    build: {
      ...output,
      outDir: join(dist, "cli"),
      ssr: join(root, "src/cli/wgrad.ts"),
      rolldownOptions: { output: { banner: "#!/usr/bin/env node", codeSplitting: false } },
    },
  });
  // What `wgrad verify --connect` gives a browser: one file.
  await build({
    ...common,
    plugins: [smallWgsl(), threadBeside()],
    build: {
      ...output,
      sourcemap: false,
      outDir: join(dist, "cli"),
      rolldownOptions: { output: { codeSplitting: false } },
      lib: { entry: join(root, "src/cli/verify-page.ts"), formats: ["es"], fileName: "verify-page" },
    },
  });
}
