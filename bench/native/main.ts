// The benchmarks without a browser, as one file: `node native.mjs [--quick] [--parity] [--only W1,W2] [--peers none]`.
// Needs Node, a Vulkan (or Metal, or Direct3D) driver and Dawn's binding, from DAWN_NODE or the package `webgpu`.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { open } from "../../src/index";
import { betterOf, measureLimits } from "../limits";
import { machine } from "../machine";
import { messageOf } from "../measure";
import { isAsked, type Options, parseOptions, usage } from "../options";
import { terminalReport } from "../report/report";
import type { Adapter, Results } from "../results";
import { budgetOf, isLarge, measureAll, nameOf, openAll, productSizes, say, serialised } from "../run-all";
import { measureScaling } from "../scaling";
import { workloads } from "../workloads";
import { nativeContenders, routeContendersOf } from "./contenders";
import { dawn } from "./dawn";
import { parity } from "./parity";

/** Put in when this is bundled. */
declare const BENCH_COMMIT: string;

async function measure(gpu: GPU, options: Options): Promise<void> {
  const began = performance.now();
  const found = machine();
  const adapter = await adapterOf(gpu);
  const { contenders, ready } = await openAll(nativeContenders(gpu, isAsked(options.peers, "PyTorch CUDA")));
  try {
    say("the adapter's limits");
    const limits = await measureLimits(gpu);
    const chosen = workloads(productSizes(adapter, options.full), isLarge(adapter, options.full)).filter(({ group }) =>
      options.only.has(group),
    );
    const measured = await measureAll(chosen, ready, budgetOf(options));
    const routes = options.only.has("W6") ? await openAll(routeContendersOf(gpu)) : { ready: [] };
    const scanned = [...ready.filter(({ ours }) => ours), ...routes.ready];
    const results: Results = {
      format: 1,
      kind: "native",
      date: new Date().toISOString().slice(0, 10),
      commit: BENCH_COMMIT,
      runtime: `Node ${process.versions.node} with Dawn`,
      machine: found,
      adapter,
      options: process.argv.slice(2),
      contenders,
      limits: betterOf(limits, await measureLimits(gpu)),
      workloads: measured,
      loading: [],
      scaling: options.only.has("W6")
        ? await measureScaling(scanned, options.quick ? 3 : 5, options.quick ? 40 : 80, say)
        : [],
      seconds: (performance.now() - began) / 1000,
    };
    const out = process.env.OUT ?? ".";
    mkdirSync(out, { recursive: true });
    const path = join(out, `${nameOf(results)}.json`);
    writeFileSync(path, serialised(results));
    console.log(`\n${terminalReport(results)}\n\nwritten: ${path}`);
  } finally {
    for (const contender of ready) await contender.close();
  }
}

async function adapterOf(gpu: GPU): Promise<Adapter> {
  const device = await open({ backend: "webgpu", gpu });
  const { vendor, architecture, description, isFallback } = device.info;
  device.close();
  return { vendor, architecture, description, software: isFallback };
}

async function main(): Promise<boolean> {
  if (process.argv.includes("--help")) {
    console.log(usage);
    return true;
  }
  const options = parseOptions(process.argv.slice(2));
  const gpu = await dawn();
  const agrees = options.parity ? await parity(gpu) : true;
  if (options.only.size > 0) await measure(gpu, options);
  return agrees;
}

// Dawn's threads would keep the process alive.
main().then(
  (ok) => process.exit(ok ? 0 : 1),
  (error) => {
    console.error(`\nwgrad bench: ${messageOf(error)}`);
    process.exit(1);
  },
);
