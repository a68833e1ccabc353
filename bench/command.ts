import { fillReadme, main } from "./main";
import { messageOf } from "./measure";
import { type Options, parseOptions, usage } from "./options";

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
    else await main(root, options, args);
  } catch (error) {
    console.error(`\nwgrad bench: ${error instanceof Error ? error.stack : error}`);
    process.exitCode = 1;
  }
}
