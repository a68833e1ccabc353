import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { chromeProvider } from "./scripts/chrome-provider.ts";

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));
/** The examples and the README import the package by its name, as its users do; here that is the source. */
const alias = [
  { find: /^wgrad$/, replacement: source("index.ts") },
  { find: /^wgrad\/files\/(\w+)$/, replacement: source("files/$1.ts") },
  { find: /^wgrad\/sweep$/, replacement: source("sweep/index.ts") },
  { find: /^wgrad\/sweep\/queue$/, replacement: source("sweep/queue.ts") },
];

/**
 * Of a test and of a hook: to end what hangs, and nothing else. No test judges how fast the machine is; the benchmarks do.
 */
const HANGS_MS = 600_000;

/** How many random programs `npm run fuzz` wants of each kind, and from which seed; else as many as the tests have time for. */
const { FUZZ_RUNS, FUZZ_SEED } = process.env;
const provide = { fuzz: { runs: FUZZ_RUNS ? Number(FUZZ_RUNS) : null, seed: Number(FUZZ_SEED ?? 20) } };

/** Many kernels to compile, or many devices to open: `npm run test:long`. */
const LONG = [
  "test/kernels/{torch-functions,onnx-conformance,properties,tune,copies}.gpu.test.ts",
  "test/nn/{golden-networks,read-onnx,recover,last-batch}.gpu.test.ts",
  "test/networks/sweeps.gpu.test.ts",
  "test/examples/networks.gpu.test.ts",
];

/** What is tried in each browser, Chrome among them: `npm run test:browsers`. */
const IN_BROWSERS = [
  "test/adapters/adapters.gpu.test.ts",
  "test/kernels/{operations,products,bias-gradients}.gpu.test.ts",
  "test/networks/seeds.gpu.test.ts",
];

/** A project of tests in headless Chrome. */
const gpu = (name: string, include: string[], exclude: string[]) => ({
  resolve: { alias },
  test: {
    name,
    provide,
    include,
    exclude,
    setupFiles: ["test/support/uncaptured.ts"],
    testTimeout: HANGS_MS,
    hookTimeout: HANGS_MS,
    fileParallelism: false, // one GPU, and on a machine without one the same few cores
    sequence: { groupOrder: 1 }, // for the same reason not beside the tests in Node
    browser: {
      enabled: true,
      provider: chromeProvider(),
      instances: [{ browser: "chrome" as const }],
      headless: true,
      connectTimeout: HANGS_MS,
      screenshotFailures: false,
    },
  },
});

// *.gpu.test.ts runs in headless Chrome on real WebGPU; every other *.test.ts in Node. `npm test` runs both, but for test/pages, whose
// tests open built pages in a Chrome of their own (`npm run test:pages`), for test/peers, which need programs that are no packages of npm
// (`npm run test:peers`), and for what takes long (`npm run test:long`).
export default defineConfig({
  test: {
    teardownTimeout: 60_000,
    projects: [
      {
        resolve: { alias },
        test: {
          name: "node",
          provide,
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.gpu.test.ts", "test/pages/**", "test/peers/**"],
          environment: "node",
          maxWorkers: "100%", // the runner itself mostly waits: of two cores both test
          sequence: { groupOrder: 0 },
          testTimeout: HANGS_MS,
          hookTimeout: HANGS_MS,
        },
      },
      {
        resolve: { alias },
        test: {
          name: "pages",
          include: ["test/pages/**/*.test.ts"],
          exclude: ["test/**/*.gpu.test.ts"],
          environment: "node",
          maxWorkers: "100%",
          sequence: { groupOrder: 2 },
          testTimeout: HANGS_MS,
          hookTimeout: HANGS_MS,
        },
      },
      {
        resolve: { alias },
        test: {
          name: "peers",
          include: ["test/peers/**/*.test.ts"],
          globalSetup: ["scripts/peers.ts"],
          environment: "node",
          maxWorkers: "100%",
          sequence: { groupOrder: 3 },
          testTimeout: HANGS_MS,
          hookTimeout: HANGS_MS,
        },
      },
      gpu("gpu", ["test/**/*.gpu.test.ts"], [...LONG, ...IN_BROWSERS]),
      gpu("long", LONG, []),
    ],
  },
});
