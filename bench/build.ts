import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, type InlineConfig, type Plugin, type Rolldown } from "vite";
import { smallWgsl } from "../scripts/small-wgsl.mjs";

const common = (root: string, outDir: string): InlineConfig => ({
  root,
  base: "./",
  configFile: false,
  publicDir: false,
  logLevel: "error",
  plugins: [smallWgsl()],
  build: {
    target: "es2022",
    outDir,
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 4000,
  },
});

/** The page that every library is measured in, and the one that draws. */
export async function buildPages(root: string, outDir: string): Promise<void> {
  const config = common(root, outDir);
  const input = ["measure", "chart"].map((name) => join(root, `bench/pages/${name}.html`));
  await build({ ...config, build: { ...config.build, rolldownOptions: { input } } });
}

/** Keeps out what vite adds to a site with dynamic imports: it is no part of a library. */
const noPreloadHelper: Plugin = {
  name: "no-preload-helper",
  enforce: "pre",
  load: (id) => (id.includes("vite/preload-helper") ? "export const __vitePreload = (load) => load();" : null),
};

/** One bundle as a page of its own, with nothing in it that the first step does not need. */
export async function buildFirst(root: string, outDir: string, bundle: string): Promise<void> {
  const config = common(root, outDir);
  const built = await build({
    ...config,
    plugins: [smallWgsl(), noPreloadHelper],
    build: {
      ...config.build,
      rolldownOptions: {
        input: join(root, `bench/first/${bundle}.ts`),
        output: { entryFileNames: "main.js" },
      },
    },
  });
  const { output } = built as Rolldown.RolldownOutput;
  const entry = output.find((file) => file.type === "chunk" && file.isEntry) as Rolldown.OutputChunk;
  // As vite links a page's chunks: none is asked for only when another has come.
  const links = entry.imports.map((name) => `<link rel="modulepreload" href="./${name}">`).join("");
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>${bundle}</title>${links}`;
  writeFileSync(join(outDir, "index.html"), `${page}<script type="module" src="./main.js"></script></html>\n`);
}

/** The benchmarks for Node and Dawn as one file that needs no package. */
export async function buildNative(root: string, outDir: string, commit: string): Promise<void> {
  const config = common(root, outDir);
  await build({
    ...config,
    define: { BENCH_COMMIT: JSON.stringify(commit) },
    ssr: { noExternal: true, external: ["webgpu"] },
    build: {
      ...config.build,
      target: "node20",
      minify: false,
      ssr: true,
      rolldownOptions: {
        input: join(root, "bench/native/main.ts"),
        external: ["webgpu"],
        output: { entryFileNames: "native.mjs", codeSplitting: false },
      },
    },
  });
}
