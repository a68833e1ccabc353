import { mkdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import {
  type By,
  resultsCsv,
  type Strategy,
  type SweepDescription,
  type SweepProgress,
  type SweepResults,
  sweep as sweepHere,
  type TrialResult,
} from "../sweep/index";
import { checkInteger, checkNames, type Json, type JsonObject } from "../sweep/json";
import { sweepOverQueue } from "../sweep/queue";
import { deviceLine, openDevice } from "./device";
import { Interrupted, UsageError } from "./fail";
import { columned, number, percent } from "./figures";
import { folderStore, replace } from "./folder-store";
import type { Progress } from "./progress";
import { checkReference, readReference, sweepTable } from "./sweep-data";
import { leftOutText } from "./table";

export interface SweepCommand {
  file: string;
  out: string;
  /** The folder that the data are below; null: that of the file. */
  data: string | null;
  device: "cpu" | "webgpu";
  /** Redis's address, for machines that take the trials; null: they are trained here. */
  workers: string | null;
  say(line: string): void;
  warn(line: string): void;
  progress: Progress;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
}

/** Runs what a file describes, here or on other machines; writes results.json and results.csv. Throws Interrupted once it can be gone on with. */
export async function sweep({
  file,
  out,
  data,
  device,
  workers,
  say,
  warn,
  progress,
  signal,
}: SweepCommand): Promise<void> {
  const { description, reference: given } = await readDescription(file);
  const folder = data ?? dirname(file);
  const { text, hash } = await readReference(folder, given);
  // What the file says of its columns may be wrong: that is found here, and not on each machine.
  const { table, rows, outputs, data: training, validation } = sweepTable(text, given);
  for (const line of leftOutText(table)) say(line);
  const store = folderStore(join(out, "sweep-state"));
  let begun = false;
  const onProgress = (state: SweepProgress) => {
    if (!begun) progress.start(state.ofEpochs, Math.floor(state.epochs));
    begun = true;
    progress.tell(Math.floor(state.epochs), standingText(state));
  };
  const told = { onProgress, signal, store };
  let results: SweepResults;
  try {
    if (workers === null) {
      const opened = await openDevice(device);
      try {
        say(`${deviceLine(opened)}: ${basename(given.file)}, ${rows} rows to train on`);
        results = await sweepHere({
          ...{ ...description, ...told, device: opened, data: training, inputs: table.columns.length, outputs },
          ...(validation && { validation }),
        });
      } finally {
        opened.close();
      }
    } else {
      const inputs = table.columns.length;
      say(
        `${basename(given.file)}, ${rows} rows to train on; trials go to machines: npx wgrad worker ${workers.replace(/\/\/[^@/]*@/, "//…@")}`,
      );
      results = await sweepOverQueue({
        ...{ ...description, ...told, redis: workers, say: warn },
        data: { ...(JSON.parse(await readFile(file, "utf8")) as { data: JsonObject }).data, sha256: hash },
        ...{ training: { data: training, validation }, inputs, outputs },
      });
    }
  } catch (error) {
    progress.stop();
    if (!signal.aborted) throw error;
    const more = [...(out === "." ? [] : ["--out", out]), ...(workers === null ? [] : ["--workers", workers])];
    throw new Interrupted(
      `stopped; what was done is kept. To go on:\n  npx wgrad sweep ${[file, ...more].map(quoted).join(" ")}`,
    );
  }
  progress.stop();
  await mkdir(out, { recursive: true });
  await replace(join(out, "results.json"), `${JSON.stringify(results, null, 1)}\n`);
  await replace(join(out, "results.csv"), `${resultsCsv(results)}\n`);
  say(resultsText(results));
  for (const name of ["results.json", "results.csv"]) say(`wrote ${join(out, name)}`);
}

export function quoted(word: string): string {
  return /^[\w./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

const NAMES = ["data", "space", "trial", "strategy", "by", "together"];

async function readDescription(file: string) {
  const text = await readFile(file, "utf8");
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${file} is no JSON: ${error instanceof Error ? error.message : error}`);
  }
  try {
    const all = checkNames(basename(file), read as Json, NAMES);
    const { space, trial, strategy, by, together } = all;
    for (const [name, value] of Object.entries({ space, trial }))
      if (value === undefined)
        throw new TypeError(`${basename(file)} has no "${name}"; it must have data, space and trial.`);
    const description: SweepDescription = {
      ...({ space, trial } as unknown as Pick<SweepDescription, "space" | "trial">),
      ...(strategy !== undefined && { strategy: strategy as unknown as Strategy }),
      ...(by !== undefined && { by: by as By }),
      ...(together !== undefined && { together: checkInteger("together", together, 1, 1024) }),
    };
    return { description, reference: checkReference("data", all.data) };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function standingText({ trials, ended, failed, best }: SweepProgress): string {
  const gone = failed > 0 ? `, ${failed} failed` : "";
  return `${ended} of ${trials} trials${gone}${best ? `, best ${pointText(best)}: ${figureText(best)}` : ""}`;
}

function figureText({ loss, validationLoss, validationAccuracy, accuracy }: TrialResult): string {
  const right = validationAccuracy ?? accuracy;
  return `${validationLoss === undefined ? `loss ${number(loss ?? Number.NaN)}` : `held back ${number(validationLoss)}`}${right === undefined ? "" : `, ${percent(right)} right`}`;
}

function pointText({ point }: TrialResult): string {
  return Object.entries(point)
    .map(([name, value]) => `${name} ${cell(value)}`)
    .join(", ");
}

function cell(value: Json | undefined): string {
  return typeof value === "string" ? value : typeof value === "number" ? number(value) : JSON.stringify(value ?? null);
}

/** As many as a terminal has room for. */
const BEST = 10;

/** For a terminal: the best, and what failed. */
export function resultsText({ by, trials }: SweepResults): string {
  const judged = trials.filter(({ status }) => status !== "failed");
  const names = [...new Set(trials.flatMap(({ point }) => Object.keys(point)))];
  const figures = (["loss", "accuracy", "validationLoss", "validationAccuracy"] as const).filter((name) =>
    judged.some((result) => result[name] !== undefined),
  );
  const titles = {
    loss: "loss",
    accuracy: "right",
    validationLoss: "held back",
    validationAccuracy: "held back right",
  };
  const shown = judged.slice(0, BEST);
  const lines = [
    ["", ...names, "epochs", ...figures.map((name) => `${titles[name]}${name === by ? " ▾" : ""}`)],
    ...shown.map((result, i) => [
      String(i + 1),
      ...names.map((name) => cell(result.point[name])),
      String(result.epochs),
      ...figures.map((name) => {
        const value = result[name];
        if (value === undefined) return "";
        return name.endsWith("ccuracy") ? percent(value) : number(value);
      }),
    ]),
  ];
  const failed = trials.filter(({ status }) => status === "failed");
  const reasons = [...new Set(failed.map(({ reason }) => reason))];
  return [
    ...(judged.length > 0 ? [columned(lines)] : ["no trial came to an end"]),
    ...(judged.length > shown.length ? [`and ${judged.length - shown.length} more in results.csv`] : []),
    ...reasons.slice(0, BEST).map((reason) => {
      const [first, ...others] = failed.filter((each) => each.reason === reason) as [TrialResult, ...TrialResult[]];
      return `failed: ${pointText(first)}${others.length > 0 ? `, and ${others.length} more` : ""}: ${reason}`;
    }),
    ...(reasons.length > BEST ? [`and others that failed, in results.csv`] : []),
  ].join("\n");
}
