// Runs an example in Node, on the CPU or, with --device webgpu, through the package `webgpu`.
//
//   npm run example -- digits                   also iris, cnn, seeds/moons, … : the files of examples/
//   npm run example -- mnist FOLDER             with MNIST's four files in it, packed with gzip or not
//   npm run example -- digits --device webgpu
//   npm run example -- backbone --out FILE      the file that it comes to, such as its weights

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createServer } from "vite";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { device: { type: "string", default: "cpu" }, out: { type: "string" } },
});
const [name = "", folder = "."] = positionals;
const path = join(root, "examples", `${name}.ts`);

const server = await createServer({
  root,
  configFile: false,
  logLevel: "warn",
  appType: "custom",
  server: { middlewareMode: true, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
  resolve: {
    alias: [
      { find: /^wgrad$/, replacement: join(root, "src/index.ts") },
      { find: /^wgrad\/files\/(\w+)$/, replacement: join(root, "src/files/$1.ts") },
    ],
  },
});

/** @param {string} file */
function bytesOf(file) {
  const found = [file, `${file}.gz`].map((each) => join(folder, each)).find((each) => existsSync(each));
  if (found === undefined) throw new Error(`there is no ${file} in ${folder}, packed with gzip or not`);
  return new Uint8Array(readFileSync(found));
}

/** The device of the package, opened for a GPU in Node. */
async function openDevice() {
  const { open } = /** @type {typeof import("../src/index.ts")} */ (await server.ssrLoadModule("/src/index.ts"));
  if (values.device === "cpu") return open({ backend: "cpu" });
  if (values.device !== "webgpu") throw new Error(`--device is ${values.device}; it must be cpu or webgpu`);
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  return open({ backend: "webgpu", gpu: create([]) });
}

try {
  if (!existsSync(path)) throw new Error(`there is no examples/${name || "NAME"}.ts; examples/README.md lists them`);
  /** @type {{ main: (...given: unknown[]) => Promise<unknown> }} */
  const { main } = /** @type {never} */ (await server.ssrLoadModule(path));
  const device = await openDevice();
  const { description, vendor } = device.info;
  console.log(`${device.backend}: ${description || vendor}`);
  const files = () => ({
    images: bytesOf("train-images-idx3-ubyte"),
    labels: bytesOf("train-labels-idx1-ubyte"),
    testImages: bytesOf("t10k-images-idx3-ubyte"),
    testLabels: bytesOf("t10k-labels-idx1-ubyte"),
  });
  const comesTo = await main(...(name === "mnist" ? [files()] : []), device);
  if (values.out !== undefined) {
    const file = comesTo instanceof Object && "file" in comesTo ? comesTo.file : null;
    if (!(file instanceof Uint8Array)) throw new Error(`--out: ${name} comes to no file`);
    writeFileSync(values.out, file);
  }
  device.close();
} catch (error) {
  console.error(`wgrad: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await server.close();
}
