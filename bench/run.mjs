// The benchmarks: `npm run bench -- --help` says what can be asked for.
//
// What runs in Node is TypeScript too: it is bundled first, with packages left where they are.

import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "vite";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const outDir = join(root, "out/bench/node");

await build({
  root,
  configFile: false,
  publicDir: false,
  logLevel: "error",
  build: {
    target: "node20",
    outDir,
    emptyOutDir: true,
    minify: false,
    ssr: true,
    rolldownOptions: { input: join(root, "bench/command.ts"), output: { entryFileNames: "command.mjs" } },
  },
});
const { command } = await import(pathToFileURL(join(outDir, "command.mjs")).href);
await command(root, process.argv.slice(2));
