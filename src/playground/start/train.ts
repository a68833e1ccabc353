import { type Device, type ParityReport, type Shape, writeSafetensors } from "../../index";
import type { Experiment } from "./experiment";
import type { Report } from "./report";

/** Often enough for a bar that moves, seldom enough to cost nothing. */
const reportEveryMs = 80;

/**
 * One step, the check of the next against float64, then the rest. `show` gets everything that is said of it, and the
 * figures are returned. Throws what the engine throws, and an Error where a step is further from float64 than its bound.
 */
export async function train(
  device: Device,
  experiment: Experiment,
  show: (report: Report) => void,
): Promise<Record<string, HTMLElement>> {
  const { id, title, steps, program, inputs, initial } = experiment;
  show({ kind: "begin", id, title, steps });
  const session = await device.compile(program);
  session.write(initial);

  const first = await session.run(inputs);
  const parity = await session.verify(inputs);
  if (!parity.ok) throw new Error(`${title}: the step is not the one that float64 gives.\n${parity}`);
  show({ kind: "parity", id, text: inOneLine(parity) });

  const begun = performance.now();
  let shownAt = 0;
  const speed = (done: number) => (done / (performance.now() - begun)) * 1000;
  const rest = await session.run(inputs, {
    steps: steps - 1,
    onProgress({ step, outputs }) {
      const now = performance.now();
      if (step === steps - 1 || now - shownAt < reportEveryMs) return; // the last is told below
      shownAt = now;
      show({ kind: "progress", id, step: step + 1, steps, loss: digits(outputs.loss), stepsPerSecond: speed(step) });
    },
  });
  const stepsPerSecond = speed(steps - 1);
  const histories = Object.fromEntries(
    Object.entries(first).map(([name, values]) => [name, Float32Array.of(...values, ...(rest[name] ?? []))]),
  );
  show({ kind: "progress", id, step: steps, steps, loss: digits(histories.loss?.at(-1)), stepsPerSecond });

  const { lines, figures } = await experiment.conclude(device, session, histories);
  const weights: Record<string, { shape: Shape; values: Float32Array }> = {};
  for (const name of experiment.weights) {
    const shape = program.parameters[name]?.shape ?? [];
    weights[name] = { shape, values: await session.read(name) };
  }
  session.dispose();
  show({ kind: "end", id, lines, weights: base64(writeSafetensors(weights, { network: title })) });
  return figures;
}

/** The largest error, measured by what is allowed: the results differ too much in size to compare them otherwise. */
function inOneLine({ rows }: ParityReport): string {
  const share = (row: (typeof rows)[number]) => (row.maxError === 0 ? 0 : row.maxError / row.bound);
  const worst = rows.reduce((a, b) => (share(b) > share(a) ? b : a));
  const percent = Number((100 * share(worst)).toPrecision(2));
  const error = `${worst.maxError.toExponential(1)} in ${worst.name}`;
  return `largest error ${error}, ${percent} % of the ${worst.bound.toExponential(1)} allowed`;
}

function digits(loss = Number.NaN): string {
  return loss.toPrecision(5);
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
