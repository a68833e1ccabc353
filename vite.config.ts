import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { smallWgsl } from "./scripts/small-wgsl.mjs";

const page = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * The built pages run nothing but their own files and ask nobody but their own server. The CPU device compiles
 * WebAssembly, and the icon may be built in. Not while developing: there vite injects styles and a client.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

function contentSecurityPolicy(): Plugin {
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml(html) {
      if (html.includes("<style>")) return []; // the pictures that npm start takes carry their own
      const attrs = { "http-equiv": "Content-Security-Policy", content: policy };
      return [{ tag: "meta", attrs, injectTo: "head-prepend" }];
    },
  };
}

// The pages. The library is built by scripts/build-lib.mjs, the tests are configured in vitest.config.ts.
export default defineConfig({
  base: "./", // the built pages may lie in any folder of a server
  plugins: [smallWgsl(), contentSecurityPolicy()],
  worker: { format: "es", plugins: () => [smallWgsl()] },
  build: {
    outDir: "out/page",
    target: "es2022",
    rolldownOptions: {
      checks: { pluginTimings: false },
      input: [
        page("index.html"),
        page("lessons.html"),
        page("race.html"),
        page("verify.html"),
        page("src/playground/start/index.html"),
      ],
    },
  },
});
