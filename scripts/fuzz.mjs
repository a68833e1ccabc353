// Random programs on every backend and route against float64, many more than `npm test` tries.
//
//   npm run fuzz                          1,000 on each, from a seed of the clock
//   npm run fuzz -- --runs 5000 --seed 7  so many, from that seed: what fails can be had again
//   npm run fuzz -- cpu                   files of test/fuzz whose path has "cpu"; "webgpu" in Chrome

import { parseArgs } from "node:util";
import { runTests } from "./vitest.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: "string", default: "1000" }, seed: { type: "string" } },
});
const runs = Number(values.runs);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
if (!Number.isSafeInteger(runs) || runs < 1 || !Number.isSafeInteger(seed))
  throw new Error(
    `fuzz: --runs is ${values.runs} and --seed ${values.seed}; they must be integers, the first at least 1`,
  );
console.log(`fuzz: ${runs} programs on each backend and route, seed ${seed}`);
const filter = positionals.length > 0 ? positionals.map((name) => `test/fuzz/${name}`) : ["test/fuzz"];
Object.assign(process.env, { FUZZ_RUNS: String(runs), FUZZ_SEED: String(seed) }); // vitest.config.ts hands them on
await runTests(filter, {});
