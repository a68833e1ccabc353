import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { PAGES, shell } from "./scripts/shell.mjs";
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
    transformIndexHtml() {
      const attrs = { "http-equiv": "Content-Security-Policy", content: policy };
      return [{ tag: "meta", attrs, injectTo: "head-prepend" }];
    },
  };
}

/** The documents are made from what is built (scripts/build-docs.mjs): while developing, a link to them says so. */
function documentsElsewhere(): Plugin {
  return {
    name: "documents-elsewhere",
    configureServer(server) {
      server.middlewares.use("/docs", (request, answer, next) => {
        if (!request.url?.endsWith(".html")) return next();
        answer.statusCode = 404;
        answer.end("The guides and the reference are among the built pages: npm run build, then out/page/docs.");
      });
    },
  };
}

/**
 * The part of a page's code that comes after its worker was started is on the way from the start. Chunks of the library
 * are left alone: which of them are wanted is known when there is a device.
 */
function earlyChunks(): Plugin {
  return {
    name: "early-chunks",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler(_, { bundle = {}, chunk }) {
        if (!chunk) return [];
        const chunks = new Map(
          Object.values(bundle).flatMap((each) => (each.type === "chunk" ? [[each.fileName, each]] : [])),
        );
        /** These chunks and all that they import. */
        const withImports = (names: readonly string[], found = new Set<string>()): Set<string> => {
          for (const name of names) {
            if (!found.has(name)) withImports(chunks.get(name)?.imports ?? [], found.add(name));
          }
          return found;
        };
        const linked = withImports([chunk.fileName]); // vite sees to these
        const own = (name: string) => chunks.get(name)?.facadeModuleId?.includes("/src/playground/") ?? false;
        return [...withImports(chunk.dynamicImports.filter(own))]
          .filter((name) => !linked.has(name))
          .map((name) => ({ tag: "link", attrs: { rel: "modulepreload", crossorigin: true, href: `./${name}` } }));
      },
    },
  };
}

// The pages. The library is built by scripts/build-lib.mjs, the tests are configured in vitest.config.ts.
export default defineConfig({
  base: "./", // the built pages may lie in any folder of a server
  // What a page shares with an example imports the library as its users do.
  resolve: { alias: [{ find: /^wgrad$/, replacement: page("src/index.ts") }] },
  plugins: [smallWgsl(), shell(), contentSecurityPolicy(), documentsElsewhere(), earlyChunks()],
  worker: { format: "es", plugins: () => [smallWgsl()] },
  build: {
    outDir: "out/page",
    target: "es2022",
    modulePreload: { polyfill: false },
    rolldownOptions: {
      checks: { pluginTimings: false },
      input: [
        ...PAGES.flatMap(({ path, elsewhere }) => (elsewhere ? [] : [page(path)])),
        page("src/playground/start/index.html"), // what `npm start` opens
      ],
    },
  },
});
