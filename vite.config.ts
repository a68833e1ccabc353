import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { smallWgsl } from "./scripts/small-wgsl.mjs";

const page = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// The pages. The library is built by scripts/build-lib.mjs, the tests are configured in vitest.config.ts.
export default defineConfig({
  base: "./", // the built pages may lie in any folder of a server
  plugins: [smallWgsl()],
  build: {
    outDir: "out/page",
    target: "es2022",
    rolldownOptions: {
      checks: { pluginTimings: false },
      input: [page("index.html"), page("src/playground/start/index.html")],
    },
  },
});
