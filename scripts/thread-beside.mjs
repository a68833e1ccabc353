import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const thread = fileURLToPath(new URL("../src/wasm/thread.js", import.meta.url));
const address = 'new URL("./thread.js", import.meta.url)';
/** Stands in its place until the bundle is made: neither Vite nor what makes code small looks at it. */
const mark = "globalThis.__thread__";

/**
 * For the library: the worker lies beside what starts it, by an address that every bundler understands. Vite by itself would write one
 * that only a finished page does.
 * @returns {import("vite").Plugin}
 */
export function threadBeside() {
  return {
    name: "thread-beside",
    apply: "build",
    enforce: "pre",
    transform: (code, id) => (id.endsWith("/wasm/threads.ts") ? code.replace(address, mark) : null),
    generateBundle(_, bundle) {
      const chunks = Object.values(bundle).flatMap((each) =>
        each.type === "chunk" && each.code.includes(mark) ? [each] : [],
      );
      if (chunks.length !== 1) throw new Error(`${chunks.length} chunks start thread.js, not one`);
      for (const chunk of chunks) chunk.code = chunk.code.replace(mark, address);
      this.emitFile({ type: "asset", fileName: "thread.js", source: readFileSync(thread) });
    },
  };
}
