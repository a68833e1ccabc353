import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { entryPoints } from "../scripts/docs/reference.mjs";
import { smallWgsl } from "../scripts/small-wgsl.mjs";
import type { MeasuredEntry } from "./results";

/** What each entry point of the package weighs: built as the library is, and packed with gzip as servers send it. */
export async function measureEntries(root: string): Promise<MeasuredEntry[]> {
  const entries = [...entryPoints(root)];
  const built = await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: "error",
    plugins: [smallWgsl()],
    build: {
      target: "es2022",
      minify: "oxc",
      write: false,
      rolldownOptions: { external: [/^node:/, "bullmq", "ioredis"] }, // optional peers
      lib: { entry: Object.fromEntries(entries.map(([name, path]) => [name, join(root, path)])), formats: ["es"] },
    },
  });
  const { output } = (Array.isArray(built) ? built[0] : built) as Rolldown.RolldownOutput;
  const chunks = new Map(output.flatMap((file) => (file.type === "chunk" ? [[file.fileName, file] as const] : [])));
  const bytesOf = (names: ReadonlySet<string>) =>
    [...names].reduce((sum, name) => sum + gzipSync(chunks.get(name)?.code ?? "").length, 0);
  return entries.map(([name]) => {
    const entry = [...chunks.values()].find((chunk) => chunk.isEntry && chunk.name === name);
    if (!entry) throw new Error(`internal: ${name} was not built`);
    const atOnce = reached(chunks, entry.fileName, ({ imports }) => imports);
    const all = reached(chunks, entry.fileName, ({ imports, dynamicImports }) => [...imports, ...dynamicImports]);
    return { name, gzipBytes: bytesOf(atOnce), laterBytes: bytesOf(all) - bytesOf(atOnce) };
  });
}

/** The chunks that are reached from one, itself among them. */
function reached(
  chunks: ReadonlyMap<string, Rolldown.OutputChunk>,
  from: string,
  next: (chunk: Rolldown.OutputChunk) => readonly string[],
): Set<string> {
  const found = new Set([from]);
  for (const name of found) {
    const chunk = chunks.get(name);
    for (const other of chunk ? next(chunk) : []) if (chunks.has(other)) found.add(other);
  }
  return found;
}
