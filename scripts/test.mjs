// Runs the tests, in Node and in headless Chrome, and ends with the line "N passed, N failed".
//
//   npm test                      all but those of the next two
//   npm run test:long             PyTorch's functions and trainings and ONNX's cases on WebGPU: many kernels to compile
//   npm run test:pages            those: built, and opened in a Chrome of their own
//   npm run test:peers            beside Redis and PyTorch, which are installed where that can be done
//   npm test -- matmul            files whose path has "matmul"
//   npm test -- --project node    no browser
//   npm test -- -t "row maximum"  tests whose title has these words

import { parseCLI } from "vitest/node";
import { runTests } from "./vitest.mjs";

const { filter, options } = parseCLI(["vitest", "run", ...process.argv.slice(2)]);
const wholeRun = filter.length === 0 && !options.project && !options.testNamePattern;
options.project ??= ["node", "gpu"];
await runTests(filter, options, wholeRun);
