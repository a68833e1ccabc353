// Runs the tests of *.gpu.test.ts wherever there is a navigator.gpu, and tells a server what became of each.
// Bundled by scripts/test-browsers.mjs; a page loads it, and Deno as it is.

import "../support/uncaptured"; // before any test asks for a device
import { type Suite, startTests, type Task, type Test, type VitestRunner } from "@vitest/runner";
import type { Told } from "./told";

/** What is of every adapter. The others want subgroups, a browser's database, or no WebGPU at all. */
const loaders = import.meta.glob<unknown>([
  "../adapters/*.gpu.test.ts",
  "../kernels/{operations,products,bias-gradients,names}.gpu.test.ts",
  "../networks/seeds.gpu.test.ts",
  "../nn/trainer.gpu.test.ts",
  "../pages/adapter.gpu.test.ts",
]);
const asked = new URL(location.href).searchParams;

let last: Promise<unknown> = Promise.resolve();
/** In the order of the calls. */
function tell(told: Told): Promise<unknown> {
  const body = JSON.stringify(told);
  const sent = last.then(() => fetch(`/told/${encodeURIComponent(asked.get("by") ?? "")}`, { method: "POST", body }));
  last = sent.catch(() => close()); // nobody listens any more: ends Deno, too
  return last;
}

let running = "loading";
function fault(error: unknown): void {
  const message =
    error instanceof Error ? (error.stack?.includes(error.message) ? error.stack : String(error)) : String(error);
  void tell({ kind: "fault", message: `while ${running}: ${message}` });
}
addEventListener("error", (event) => {
  event.preventDefault();
  fault(event.error ?? event.message);
});
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fault(event.reason);
});

function errorsOf({ result }: Task): string[] {
  return (result?.errors ?? []).map(({ message, diff, stack }) => [message, diff ?? stack].filter(Boolean).join("\n"));
}
/** A test's title with those of the suites around it. */
function titleOf(task: Task): string {
  const outer = task.suite ? titleOf(task.suite) : "";
  return outer ? `${outer} > ${task.name}` : task.name;
}
const testsOf = (task: Task): Test[] => (task.type === "test" ? [task] : task.tasks.flatMap(testsOf));
const suitesOf = (task: Task): Suite[] => (task.type === "test" ? [] : [task, ...task.tasks.flatMap(suitesOf)]);
/** A hook that threw, or a file that did not load. */
function tellOwnErrors(suite: Suite): void {
  const errors = errorsOf(suite);
  const name = `${titleOf(suite) || "the file"}: outside its tests`;
  if (errors.length > 0) void tell({ kind: "test", file: suite.file.name, name, passed: false, ms: 0, errors });
}

const pattern = asked.get("title");
const runner: VitestRunner = {
  config: {
    root: "/",
    setupFiles: [],
    name: "",
    passWithNoTests: false,
    chaiConfig: { truncateThreshold: 0 },
    testNamePattern: pattern ? new RegExp(pattern) : undefined,
    allowOnly: false,
    sequence: { seed: 0, hooks: "stack", setupFiles: "list" },
    maxConcurrency: 1,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    retry: 0,
    includeTaskLocation: false,
    tags: [],
    tagsFilter: [],
    strictTags: false,
  },
  importFile: (path) => loaders[`..${path}`]?.(),
  onBeforeRunTask({ file, ...test }) {
    running = `running "${test.name}"`;
    return tell({ kind: "begun", file: file.name, name: test.name });
  },
  onAfterRunTask(test) {
    const { file, result, meta } = test;
    const passed = result?.state === "pass";
    const { parity } = meta;
    return tell({
      kind: "test",
      file: file.name,
      name: titleOf(test),
      passed,
      ms: result?.duration ?? 0,
      errors: errorsOf(test),
      ...(parity && { parity }),
    });
  },
  onAfterRunSuite(suite) {
    if (suite.file !== suite) return;
    void tell({ kind: "file", file: suite.name, tests: testsOf(suite).length, ms: suite.result?.duration ?? 0 });
  },
};

async function main(): Promise<void> {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error(navigator.gpu ? "requestAdapter() gave no adapter" : "there is no navigator.gpu");
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info; // Firefox says none of them
  void tell({
    kind: "adapter",
    description: description || [vendor, architecture, device].filter(Boolean).join(" "),
    fallback: isFallbackAdapter,
    features: [...adapter.features].sort(),
    agent: navigator.userAgent,
  });
  const parts = asked.getAll("path");
  const paths = Object.keys(loaders).map((path) => path.slice(2)); // from "../" to "/"
  const wanted = paths.filter((path) => parts.length === 0 || parts.some((part) => path.includes(part)));
  if (wanted.length === 0) throw new Error(`no file's path has ${parts.join(" or ")}; there are ${paths.join(", ")}`);
  const files = await startTests(wanted, runner);
  for (const suite of files.flatMap(suitesOf)) tellOwnErrors(suite);
  await new Promise((resolve) => setTimeout(resolve, 300)); // what a device still has to report
  running = "ending";
  const ran = files.flatMap(testsOf).filter(({ mode }) => mode === "run" || mode === "queued");
  await tell({ kind: "end", tests: ran.length });
}

main().catch(async (error) => {
  fault(error);
  await tell({ kind: "end", tests: 0 });
});
