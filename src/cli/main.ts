import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { VERSION } from "../index";
import { EXIT, Interrupted, UsageError } from "./fail";
import { ACTIVATIONS } from "./network";
import { predict } from "./predict";
import { terminalProgress } from "./progress";
import type { Settings } from "./settings";
import { sweep } from "./sweep";
import { train } from "./train";
import { verify } from "./verify";
import { worker } from "./worker";

/** Where a command writes. */
export interface Streams {
  out: NodeJS.WriteStream;
  error: NodeJS.WriteStream;
}

/** Runs the command line that comes after "wgrad"; the exit code. What is wrong is said on the error stream, without a stack. */
export async function main(argv: readonly string[], { out, error }: Streams): Promise<number> {
  const say = (line: string) => void error.write(`${line}\n`);
  try {
    await program({ out, error }).parseAsync([...argv], { from: "user" });
    return EXIT.done;
  } catch (problem) {
    if (problem instanceof CommanderError) return problem.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (problem instanceof Failed) return EXIT.failed;
    const message = problem instanceof Error ? problem.message : String(problem);
    if (problem instanceof Interrupted) {
      say(message);
      return EXIT.interrupted;
    }
    say(`wgrad: ${message}`);
    return problem instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}

/** Failed, and has said so. */
class Failed extends Error {}

function program({ out, error }: Streams): Command {
  const write = (text: string) => void out.write(text);
  const say = (line: string) => void out.write(`${line}\n`);
  const warn = (line: string) => void error.write(`${line}\n`);
  const device = () =>
    new Option("--device <device>", "what to compute on; webgpu is the package webgpu")
      .choices(["cpu", "webgpu"])
      .default("cpu");

  const wgrad = new Command("wgrad")
    .description("Trains networks on tables, sweeps over their options, and verifies this machine's adapters.")
    .version(VERSION)
    .configureOutput({ writeOut: write, writeErr: (text) => void error.write(text) })
    .showHelpAfterError("(--help says more)")
    .exitOverride();

  wgrad
    .command("train")
    .description(
      "Trains on a CSV file: writes model.safetensors, model.onnx and report.html. Ctrl-C leaves a checkpoint.",
    )
    .argument("<file>", "the table; its first line may name the columns")
    .option("--target <column>", "the column to predict: its name, or its number from 0, -1 being the last")
    .addOption(new Option("--as <kind>", "the target's kind; else by what it has").choices(["classes", "numbers"]))
    .option("--hidden <units>", "units of the hidden layers, as 16,16; none for no hidden layer", hidden, [16, 16])
    .addOption(new Option("--activation <name>", "of the hidden layers").choices(ACTIVATIONS).default("relu"))
    .option("--epochs <count>", "passes over the rows", count, 100)
    .option("--lr <rate>", "adam's learning rate", positive, 0.01)
    .option("--batch <rows>", "rows a step", count, 32)
    .option("--seed <number>", "of the weights, the parting and the order", seed, 0)
    .option("--held-back <share>", "share of the rows that are not trained on, but judged by; 0 for none", share, 0.2)
    .addOption(
      new Option("--missing <what>", "what becomes of missing fields")
        .choices(["refuse", "drop", "mean", "mostFrequent"])
        .default("refuse"),
    )
    .option("--ignore <columns>", "columns to leave out, as name,id", columns)
    .option("--text <columns>", "columns that are text though they look like numbers, or have many texts", columns)
    .option("--delimiter <character>", "between fields; else ; or , by the first line")
    .addOption(
      new Option("--decimal <sign>", "before decimals; else by the first number, where ; separates").choices([
        ".",
        ",",
      ]),
    )
    .option("--no-header", "the first line is a row")
    .addOption(device())
    .option("--out <folder>", "where the files go", ".")
    .option("--resume <checkpoint>", "goes on from what Ctrl-C left; all other settings are in it")
    .action(async (file: string, given: TrainFlags, command: Command) => {
      const from = given.resume === undefined ? settingsOf(given) : resumed(command, given.resume);
      const progress = terminalProgress(error, "epochs");
      await interruptible((signal) =>
        train({ file, out: given.out, device: given.device, from, say, progress, signal }),
      );
    });

  wgrad
    .command("predict")
    .description("The rows of a CSV file with what a network of train makes of them, as CSV.")
    .argument("<model>", "model.safetensors")
    .argument("<file>", "the table, with or without its target")
    .option("--out <file>", "where to; else to the terminal")
    .addOption(device())
    .action((model: string, file: string, { out: to, device }: { out?: string; device: "cpu" | "webgpu" }) =>
      predict({ model, file, out: to ?? null, device, write, say: warn }),
    );

  wgrad
    .command("sweep")
    .description(
      "Trains a network for each point of a space that a JSON file describes, and ranks them: writes results.json and results.csv. Started again, it goes on.",
    )
    .argument("<file>", "JSON with data, space, trial and strategy")
    .option("--out <folder>", "where the results go, and what the sweep goes on from", ".")
    .option("--data <folder>", "what the data are below; else the file's own folder")
    .option("--workers <redis>", "hands trials to machines: redis://host:6379; see worker")
    .addOption(device())
    .action((file: string, { out, data, workers, device }: SweepFlags) =>
      interruptible((signal) =>
        sweep({
          ...{ file, out, data: data ?? null, workers: workers ?? null, device, signal, say, warn },
          progress: terminalProgress(error, "epochs"),
        }),
      ),
    );

  wgrad
    .command("worker")
    .description("Takes trials of sweeps from a queue in Redis, and trains them on this machine, until Ctrl-C.")
    .argument("<redis>", "its address: redis://host:6379")
    .option("--data <folder>", "what the data are below", ".")
    .addOption(
      new Option("--device <device>", "what to compute on; auto is WebGPU on a GPU where the package webgpu finds one")
        .choices(["auto", "cpu", "webgpu"])
        .default("auto"),
    )
    .option("--chrome", "trains in a headless Chrome; needs the package puppeteer", false)
    .option(
      "--lost <seconds>",
      "after so long without a word of it another machine goes on with its trial",
      positive,
      15,
    )
    .option("--checkpoint <seconds>", "between two checkpoints of a trial", positive, 5)
    .action((redis: string, { data, device, chrome, lost, checkpoint }: WorkerFlags) =>
      interruptible((signal) =>
        worker({
          ...{ redis, data, device: chrome ? "chrome" : device, say, signal },
          ...{ lostSeconds: lost, everySeconds: checkpoint },
        }),
      ),
    );

  wgrad
    .command("verify")
    .description("Holds every adapter of this machine, and the CPU, to float64: each operation within its bound.")
    .option("--quick", "every 64th case", false)
    .option("--json <file>", "writes the report there")
    .option(
      "--connect <address>",
      "a browser that runs there, as ws://host:9222; several times for several",
      browsers,
      [],
    )
    .action(async ({ quick, json, connect }: { quick: boolean; json?: string; connect: string[] }) => {
      const within = await verify({
        quick,
        connect,
        json: json ?? null,
        say,
        progress: (unit) => terminalProgress(error, unit),
      });
      if (!within) throw new Failed();
    });
  return wgrad;
}

/** Until Ctrl-C, or the signal by which a service is stopped. The second one ends it at once, as it would without this. */
async function interruptible(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const interrupt = new AbortController();
  const stop = () => interrupt.abort(new Error("interrupted"));
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  try {
    await work(interrupt.signal);
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}

interface SweepFlags {
  out: string;
  data?: string;
  workers?: string;
  device: "cpu" | "webgpu";
}

interface WorkerFlags {
  data: string;
  device: "auto" | "cpu" | "webgpu";
  chrome: boolean;
  lost: number;
  checkpoint: number;
}

interface TrainFlags extends Omit<Settings, "target" | "table"> {
  target?: string;
  missing: "refuse" | "drop" | "mean" | "mostFrequent";
  ignore?: (string | number)[];
  text?: (string | number)[];
  delimiter?: string;
  decimal?: "." | ",";
  header: boolean;
  device: "cpu" | "webgpu";
  out: string;
  resume?: string;
}

function settingsOf({
  target,
  as,
  hidden,
  activation,
  epochs,
  lr,
  batch,
  seed,
  heldBack,
  ...table
}: TrainFlags): Settings {
  if (target === undefined)
    throw new UsageError("train: give --target COLUMN, the column to predict; --help says more.");
  const { missing, ignore, text, delimiter, decimal, header } = table;
  return {
    target: column(target),
    ...(as && { as }),
    table: {
      missing,
      oneHot: text ?? true,
      ...(ignore && { ignore }),
      ...(delimiter !== undefined && { delimiter }),
      ...(decimal && { decimal }),
      ...(header ? {} : { header }),
    },
    hidden,
    activation,
    epochs,
    lr,
    batch,
    seed,
    heldBack,
  };
}

/** What a checkpoint says is not said again: that it were another would be found late, or never. */
function resumed(command: Command, checkpoint: string): { checkpoint: string } {
  const own = ["resume", "device", "out"];
  const said = command.options
    .map((option) => option.attributeName())
    .filter((name) => command.getOptionValueSource(name) === "cli" && !own.includes(name));
  if (said.length > 0)
    throw new UsageError(`train: --resume has all settings in its checkpoint; leave out ${said.join(", ")}.`);
  return { checkpoint };
}

function column(text: string): string | number {
  return /^-?\d+$/.test(text) ? Number(text) : text;
}

function columns(text: string): (string | number)[] {
  return text.split(",").map((each) => column(each.trim()));
}

function hidden(text: string): number[] {
  return text === "none" ? [] : text.split(",").map(count);
}

function browsers(text: string, before: string[]): string[] {
  if (!/^wss?:\/\/./.test(text) || !URL.canParse(text))
    throw new InvalidArgumentError("It must be the address of a browser, as ws://host:9222.");
  return [...before, text];
}

function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text.trim()) || !Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("It must be an integer of at least 1.");
  return value;
}

function seed(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 0xffffffff)
    throw new InvalidArgumentError("It must be an integer from 0 to 2^32 - 1.");
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new InvalidArgumentError("It must be a number above 0.");
  return value;
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value < 1))
    throw new InvalidArgumentError("It must be at least 0 and less than 1.");
  return value;
}
