import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { CsvDescription } from "../files/csv";
import { writeOnnx } from "../files/onnx";
import {
  type Dataset,
  readSafetensors,
  safetensorsMetadata,
  splitDataset,
  standardize,
  writeSafetensors,
} from "../index";
import { deviceLine, openDevice } from "./device";
import { Interrupted, UsageError } from "./fail";
import { classFigures, type Figures, figuresText, number, numberFigures, percent } from "./figures";
import { replace } from "./folder-store";
import { type Network, networkModel, networkTrainer, restored } from "./network";
import type { Progress } from "./progress";
import { report } from "./report";
import type { Epoch, Settings } from "./settings";
import { leftOutText, readTable } from "./table";

/** What goes with a checkpoint so that training goes on from it, in JSON. */
interface Kept {
  format: "wgrad train 1";
  settings: Settings;
  /** SHA-256 of the file that was trained on. */
  file: string;
  epochs: Epoch[];
}

export interface TrainOptions {
  file: string;
  out: string;
  device: "cpu" | "webgpu";
  /** New settings, or the checkpoint to go on from. */
  from: Settings | { checkpoint: string };
  say(line: string): void;
  progress: Progress;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
}

const KEY = "wgrad.train";

/** Trains on a file, and writes model.safetensors, model.onnx and report.html. Throws what is wrong; Interrupted once a checkpoint is there. */
export async function train({ file, out, device: backend, from, say, progress, signal }: TrainOptions): Promise<void> {
  const text = await readFile(file, "utf8");
  const hash = createHash("sha256").update(text).digest("hex");
  const checkpoint = "checkpoint" in from ? await readCheckpoint(from.checkpoint, hash, file) : null;
  const settings = checkpoint?.kept.settings ?? (from as Settings);
  const { hidden, activation, seed, heldBack, epochs, batch } = settings;

  const { as, target } = settings;
  const table = readTable(text, { ...settings.table, target, ...(as && { as }) });
  const { x, y, rows, columns, description, classes } = table;
  say(
    `${basename(file)}: ${rows} rows, ${columns.length} columns for x${classes ? `, ${classes.length} classes` : ""}`,
  );
  for (const line of leftOutText(table)) say(line);
  if (classes?.length === 1)
    throw new UsageError(`the target is ${classes[0]} in every row; there is nothing to learn.`);
  const parts =
    heldBack > 0
      ? splitDataset({ x, y }, [1 - heldBack, heldBack], { seed, stratify: classes !== null, rows })
      : [{ x, y }];
  const [training, held = null] = parts as [Dataset<Float32Array | Int32Array>, Dataset<Float32Array | Int32Array>?];
  const trainingX = training.x as Float32Array;
  const scale = classes ? null : standardize(training.y, 1);
  const network: Network = {
    format: "wgrad table network 1",
    hidden,
    activation,
    seed,
    target: scale && { mean: scale.mean[0] as number, deviation: scale.deviation[0] as number },
  };
  const scaled = (data: Dataset<Float32Array | Int32Array>) => (scale ? { x: data.x, y: scale.apply(data.y) } : data);

  await mkdir(out, { recursive: true });
  const device = await openDevice(backend);
  try {
    const model = networkModel(network, description, columns.length, trainingX);
    say(`${deviceLine(device)}: ${columns.length} – ${[...hidden, classes?.length ?? 1].join(" – ")}`);
    const net = await networkTrainer(device, model, network, settings.lr, batch);
    if (checkpoint) net.resume(checkpoint.bytes);
    const done: Epoch[] = [...(checkpoint?.kept.epochs ?? [])];
    const count = training.y.length;
    progress.start(epochs, done.length);
    try {
      await net.fit(scaled(training), {
        epochs,
        seed,
        signal,
        ...(held && { validation: scaled(held) }),
        onEpoch: ({ epoch, loss, validationLoss, validationAccuracy }) => {
          done.push({
            epoch,
            loss,
            ...(validationLoss !== undefined && { validationLoss }),
            ...(validationAccuracy !== undefined && { validationAccuracy }),
          });
          progress.tell(done.length, told(done.at(-1) as Epoch));
        },
      });
    } catch (error) {
      if (!signal.aborted) throw error;
      const perEpoch = Math.ceil(count / batch);
      const kept: Kept = { format: "wgrad train 1", settings, file: hash, epochs: done };
      const path = join(out, "checkpoint.safetensors");
      const bytes = await net.checkpoint();
      const metadata = { ...safetensorsMetadata(bytes), [KEY]: JSON.stringify(kept) };
      await replace(path, writeSafetensors(readSafetensors(bytes), metadata));
      progress.stop();
      const quoted = (word: string) => (/^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
      throw new Interrupted(
        `stopped after ${net.steps} of ${epochs * perEpoch} steps. To go on:\n  npx wgrad train ${quoted(file)} --resume ${quoted(path)}${backend === "cpu" ? "" : ` --device ${backend}`}${out === "." ? "" : ` --out ${quoted(out)}`}`,
      );
    }
    progress.stop();

    let figures: Figures | null = null;
    if (held) {
      const predicted = await net.predict(held.x);
      figures = classes
        ? classFigures(predicted, held.y, classes)
        : numberFigures(
            predicted.map((value) => restored(value, network)),
            held.y,
          );
      say(figuresText(figures));
    } else say(`trained on all rows: ${told(done.at(-1) as Epoch)}`);

    const metadata = { csv: JSON.stringify(description), network: JSON.stringify(network) };
    await replace(join(out, "model.safetensors"), await net.save({ metadata }));
    const restore = network.target && { mean: [network.target.mean], deviation: [network.target.deviation] };
    const onnx = writeOnnx(
      model,
      await net.weights(),
      classes ? { probabilities: "softmax" } : restore ? { restore } : {},
    );
    await replace(join(out, "model.onnx"), onnx);
    const about = aboutTable(description, rows, columns.length);
    const html = report({
      name: basename(file),
      settings,
      about,
      left: leftOutText(table),
      epochs: done,
      figures,
      device: deviceLine(device),
    });
    await replace(join(out, "report.html"), html);
    for (const name of ["model.safetensors", "model.onnx", "report.html"]) say(`wrote ${join(out, name)}`);
  } finally {
    progress.stop();
    device.close();
  }
}

function told({ loss, validationLoss, validationAccuracy }: Epoch): string {
  const held = validationLoss === undefined ? "" : `, held back ${number(validationLoss)}`;
  return `loss ${number(loss)}${held}${validationAccuracy === undefined ? "" : `, ${percent(validationAccuracy)} right`}`;
}

function aboutTable({ features, target }: CsvDescription, rows: number, columns: number): string {
  const texts = features.filter(({ kind }) => kind === "categories").length;
  const what =
    target?.kind === "classes" ? `${target.column.name}, ${target.classes.length} classes` : target?.columns[0]?.name;
  return `${rows} rows; ${features.length} columns${texts > 0 ? `, ${texts} of them text, as ${columns} numbers` : ""}; target ${what}`;
}

async function readCheckpoint(path: string, hash: string, file: string): Promise<{ bytes: Uint8Array; kept: Kept }> {
  const bytes = new Uint8Array(await readFile(path));
  const text = safetensorsMetadata(bytes)[KEY];
  if (text === undefined) throw new UsageError(`${path} is no checkpoint of wgrad train; it leaves one at Ctrl-C.`);
  const kept = JSON.parse(text) as Kept;
  if (kept.format !== "wgrad train 1") throw new UsageError(`${path} is of another version, ${kept.format}.`);
  if (kept.file !== hash)
    throw new UsageError(`${file} is not what ${path} was trained on, or has changed since; give that file.`);
  return { bytes, kept };
}
