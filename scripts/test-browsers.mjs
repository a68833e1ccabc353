// Runs the tests of WebGPU in other browsers and runtimes, side by side, and ends with the line "N passed, N failed".
//
//   npm run test:browsers                      Chrome, Firefox and Deno
//   npm run test:browsers -- --only firefox    one of them, or some: --only firefox,deno
//   npm run test:browsers -- --connect ws://host:9222    a browser that runs there, and no other; several times for several
//   npm run test:browsers -- trainer           files whose path has "trainer"
//   npm run test:browsers -- -t "row maximum"  tests whose title has these words

import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, stripVTControlCharacters } from "node:util";
import { build, preview } from "vite";
import { parityTable } from "./parity-table.mjs";
import { connected, RUNTIMES } from "./runtimes.mjs";
import { smallWgsl } from "./small-wgsl.mjs";

/** @typedef {import("../test/browsers/told").Told} Told */

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Its own, so that another run at the same time builds elsewhere. */
const outDir = mkdtempSync(join(tmpdir(), "wgrad-test-browsers-"));
process.on("exit", () => rmSync(outDir, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1)); // with what it started

/** A runtime that tells nothing for so long hangs. Longer than a test may take. */
const SILENT_MS = 660_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string", multiple: true },
    connect: { type: "string", multiple: true, default: [] },
    title: { type: "string", short: "t" },
  },
});
const names =
  options.only?.flatMap((only) => only.split(",")) ?? (options.connect.length > 0 ? [] : Object.keys(RUNTIMES));
const unknown = names.find((name) => !Object.hasOwn(RUNTIMES, name));
if (unknown !== undefined) {
  console.error(`wgrad: --only ${unknown}: there is no such runtime; there are ${Object.keys(RUNTIMES).join(", ")}`);
  process.exit(1);
}
const wrong = options.connect.find((address) => !/^wss?:\/\/./.test(address) || !URL.canParse(address));
if (wrong !== undefined) {
  console.error(`wgrad: --connect ${wrong}: give the address of a browser, such as ws://192.168.1.7:9222`);
  process.exit(1);
}
/** By name; one that is connected to is called by its address. */
const runtimes = new Map([
  ...names.map((name) => /** @type {const} */ ([name, RUNTIMES[name]])),
  ...options.connect.map((address) => /** @type {const} */ ([address, connected(address)])),
]);

async function buildChecks() {
  await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: "error",
    plugins: [smallWgsl()],
    define: { "process.env.NODE_ENV": '"test"' },
    resolve: {
      alias: [
        { find: /^vitest$/, replacement: join(root, "test/browsers/vitest.ts") },
        { find: /^wgrad$/, replacement: join(root, "src/index.ts") },
        { find: /^wgrad\/files\/(\w+)$/, replacement: join(root, "src/files/$1.ts") },
      ],
    },
    build: {
      outDir,
      target: "es2022",
      minify: false,
      lib: { entry: join(root, "test/browsers/main.ts"), formats: ["es"], fileName: "main" },
      rolldownOptions: {
        treeshake: false, // package.json says that files have no side effects; a test is one
        output: { entryFileNames: "checks/main.js", chunkFileNames: "checks/[name].js" },
      },
    },
  });
  copyFileSync(join(root, "test/browsers/index.html"), join(outDir, "index.html"));
  cpSync(join(root, "test/golden"), join(outDir, "golden"), { recursive: true });
}

/** @type {Map<string, (told: Told) => void>} */
const listeners = new Map();

/** The built tests, and an address that takes what they tell. */
async function serve() {
  /** @type {import("vite").Plugin} */
  const takesWhatIsTold = {
    name: "takes-what-is-told",
    configurePreviewServer({ middlewares }) {
      middlewares.use("/told", (request, response) => {
        let body = "";
        request.on("data", (data) => {
          body += data;
        });
        request.on("end", () => {
          listeners.get(decodeURIComponent((request.url ?? "").slice(1)))?.(JSON.parse(body));
          response.end();
        });
      });
    },
  };
  const server = await preview({
    root,
    configFile: false,
    logLevel: "warn",
    plugins: [takesWhatIsTold],
    build: { outDir },
    preview: { host: "127.0.0.1", port: 4194 },
  });
  const address = server.resolvedUrls?.local[0];
  if (!address) throw new Error("internal: the tests have no address");
  return { address, close: () => server.close() };
}

/**
 * Runs the tests in one runtime. Never rejects: what keeps it from running is a failure.
 * @param {string} name @param {string} address
 */
async function runIn(name, address) {
  /** @type {{ name: string, version: string, adapter: Extract<Told, { kind: "adapter" }> | null, tests: Extract<Told, { kind: "test" }>[], faults: string[] }} */
  const result = { name, version: name, adapter: null, tests: [], faults: [] };
  const began = performance.now();
  let begun = "starting";
  let expected = 0;
  /** @type {import("./runtimes.mjs").Running | undefined} */
  let running;
  try {
    const runtime = /** @type {import("./runtimes.mjs").Runtime} */ (runtimes.get(name));
    await provided.get(name);
    const url = new URL(address);
    url.search = String(
      new URLSearchParams([
        ["by", name],
        ...positionals.map((part) => ["path", part]),
        ...(options.title ? [["title", options.title]] : []),
      ]),
    );
    await new Promise((resolve, reject) => {
      const hangs = () => reject(new Error(`nothing was told for ${SILENT_MS / 1000} s, after: ${begun}`));
      let timer = setTimeout(hangs, SILENT_MS);
      listeners.set(name, (told) => {
        clearTimeout(timer);
        timer = setTimeout(hangs, SILENT_MS);
        switch (told.kind) {
          case "adapter":
            result.adapter = told;
            return;
          case "begun":
            begun = `${told.file} > ${told.name}`;
            return;
          case "file":
            console.log(`  ${name}: ${told.file}, ${told.tests} tests in ${(told.ms / 1000).toFixed(1)} s`);
            return;
          case "test":
            result.tests.push(told);
            if (!told.passed)
              console.error(
                `✗ ${name}: ${told.file} > ${told.name}\n${indented(stripVTControlCharacters(told.errors.join("\n")))}`,
              );
            return;
          case "fault":
            result.faults.push(told.message);
            console.error(`✗ ${name}: ${told.message}`);
            return;
          case "end":
            expected = told.tests;
            clearTimeout(timer);
            resolve(undefined);
            return;
          default:
            /** @satisfies {never} */ (told);
        }
      });
      const fault = (/** @type {string} */ message) => void result.faults.push(message);
      const gone = (/** @type {string} */ reason) => reject(new Error(`${reason}, after: ${begun}`));
      runtime.start(url.href, { fault, gone }).then((started) => {
        running = started;
        result.version = started.version;
      }, reject);
    });
    const told = result.tests.filter(({ name }) => !name.endsWith(": outside its tests")).length;
    if (told !== expected) result.faults.push(`${expected} tests were to run and ${told} were told`);
  } catch (error) {
    result.faults.push(error instanceof Error ? error.message : String(error));
  }
  await running?.close();
  console.log(`${name}: ${result.tests.length} tests in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  return result;
}

/** @param {string} text */
const indented = (text) => text.replaceAll(/^/gm, "    ");

/** What was found or installed of each runtime: one after another, since apt-get lets in one at a time. */
/** @type {Map<string, Promise<void>>} */
const provided = new Map();
for (const [name, runtime] of runtimes) {
  const providing = (async () => runtime?.provide())();
  provided.set(name, providing);
  await providing.catch(() => {}); // told as that runtime's failure
}
await buildChecks();
const server = await serve();
const results = await Promise.all([...runtimes.keys()].map((name) => runIn(name, server.address)));
await server.close();
mkdirSync(join(root, "out"), { recursive: true });
writeFileSync(join(root, "out/test-browsers.json"), JSON.stringify(results, null, 1));

const adapters = results
  .map(({ name, version, adapter, tests }) => ({
    // Of a fleet it is told on what each runs; here that is in the table of README.
    title: options.connect.includes(name) && adapter?.description ? `${adapter.description}, ${version}` : version,
    parities: tests.flatMap(({ parity }) => (parity ? [parity] : [])),
  }))
  .filter(({ parities }) => parities.length > 0);
if (adapters.length > 0) {
  console.log(
    `\nlargest error of each operation by adapter, and what part of its bound it is\n${parityTable(adapters)}`,
  );
}

let passed = 0;
let failed = 0;
for (const { version, adapter, tests, faults } of results) {
  const wrong = tests.filter((test) => !test.passed);
  passed += tests.length - wrong.length;
  failed += wrong.length + faults.length;
  if (tests.length === 0 && faults.length === 0) failed++;
  const named = adapter?.description || "an adapter that does not say its name";
  const kind = adapter?.fallback ? "says that it is software" : "does not say that it is software";
  const telling = ["subgroups", "shader-f16", "timestamp-query"].filter((feature) =>
    adapter?.features.includes(feature),
  );
  console.log(`\n${version}: ${adapter ? `${named}; ${kind}; ${telling.join(", ")}` : "no adapter"}`);
  for (const fault of faults) console.log(`  ✗ ${fault}`);
  for (const test of wrong) console.log(`  ✗ ${test.file} > ${test.name}`);
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
