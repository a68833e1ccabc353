import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { measureInBrowser } from "./browser";
import { buildNative } from "./build";
import { commitOf } from "./machine";
import { messageOf } from "./measure";
import { isWhole, type Options, parseOptions, usage } from "./options";
import { expectedOf } from "./programs";
import { fillReadme } from "./report/readme";
import { dataOf } from "./tasks";
import { workloads } from "./workloads";

/** The command line, once this is bundled. */
export async function command(root: string, args: string[]): Promise<void> {
  if (args.includes("--help")) return console.log(usage);
  let options: Options;
  try {
    options = parseOptions(args);
  } catch (error) {
    console.error(`wgrad bench: ${messageOf(error)}\n\n${usage}`);
    process.exitCode = 1;
    return;
  }
  try {
    if (options.readme) fillReadme(root);
    else if (options.judge) judge(options);
    else if (options.native) await native(root, options, args);
    else await measureInBrowser(root, options, args);
  } catch (error) {
    console.error(`\nwgrad bench: ${error instanceof Error ? error.stack : error}`);
    process.exitCode = 1;
  }
}

/** What the workloads have as `judged`, found again. */
function judge({ only, full }: Options): void {
  for (const { id, group, task, comparedStep, judged } of workloads([], full)) {
    if (judged === undefined || !only.has(group)) continue;
    console.log(`${id}: ${expectedOf(task, dataOf(task), comparedStep)[0]}, kept is ${judged}`);
  }
}

async function native(root: string, options: Options, args: readonly string[]): Promise<void> {
  const folder = join(root, "out/bench/native");
  await buildNative(root, folder, commitOf(root));
  const out = process.env.OUT ?? (isWhole(options) ? join(root, "bench/results") : join(root, "out/bench"));
  const file = join(folder, "native.mjs");
  console.log(`built: ${file}`);
  const env = { ...process.env, OUT: out };
  const passed = args.filter((arg) => arg !== "--native");
  process.exitCode = spawnSync(process.execPath, [file, ...passed], { stdio: "inherit", env }).status ?? 1;
}
