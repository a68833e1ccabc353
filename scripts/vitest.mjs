import { startVitest } from "vitest/node";
import { parityTable } from "./parity-table.mjs";

/**
 * Runs the tests of files whose path has one of the `filter`'s words, and ends with the line "N passed, N failed".
 * @param {string[]} filter
 * @param {import("vitest/node").CliOptions} options
 * @param {boolean} [wholeRun] Whether every project must have run something.
 */
export async function runTests(filter, options, wholeRun = false) {
  const vitest = await startVitest("test", filter, { ...options, run: true, watch: false });
  const modules = vitest.state.getTestModules();
  const errors = vitest.state.getUnhandledErrors();

  let passed = 0;
  let failed = errors.length;
  let skipped = 0;
  /** @type {import("./parity-table.mjs").Parity[]} */
  const parities = [];
  for (const module of modules) {
    failed += module.errors().length; // a file that did not load
    for (const suite of module.children.allSuites()) failed += suite.errors().length; // a hook that threw
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      const { parity } = test.meta();
      if (parity) parities.push(parity);
      if (state === "passed") passed++;
      else if (state === "failed") failed++;
      else if (state === "pending")
        failed++; // begun and never ended: the page went away
      else if (!options.testNamePattern) skipped++;
    }
  }
  // A file that never reported, and a project that ran nothing, are failures and not silence.
  const silent = modules.filter((module) => module.state() === "queued" || module.state() === "pending").length;
  failed += silent;
  if (wholeRun) {
    for (const project of vitest.projects) {
      // One that is not asked for may still be listed.
      if (options.project && !options.project.includes(project.name)) continue;
      if (modules.some((module) => module.project.name === project.name)) continue;
      console.error(`No test ran in the project "${project.name}".`);
      failed++;
    }
  }
  await vitest.close();

  if (parities.length > 0) {
    const table = parityTable([{ title: "Chrome", parities }]);
    console.log(`\nlargest error of each operation on WebGPU beside its bound\n${table}`);
  }
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  if (failed > 0 || passed === 0) process.exitCode = 1;
}
