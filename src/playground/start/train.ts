import { type Device, type Shape, writeSafetensors } from "../../index";
import type { Experiment } from "./experiment";
import type { Report } from "./report";

/** Often enough for a bar that moves, seldom enough to cost nothing. */
const reportEveryMs = 80;

/**
 * One step, the check of the next against float64, then the rest. `show` gets everything that is said of it, and the
 * figures are returned. Throws what the engine throws.
 */
export async function train(
  device: Device,
  experiment: Experiment,
  show: (report: Report) => void,
): Promise<{ ok: boolean; figures: Record<string, HTMLElement> }> {
  const { id, title, steps, program, inputs, initial } = experiment;
  show({ kind: "begin", id, title, steps });
  const session = await device.compile(program);
  session.write(initial);

  const first = await session.run(inputs);
  const parity = await session.verify(inputs);
  const worst = parity.rows.reduce((a, b) => (b.maxError / b.bound > a.maxError / a.bound ? b : a));
  show({
    kind: "parity",
    id,
    ok: parity.ok,
    text: `largest error ${worst.maxError.toExponential(1)} in ${worst.name}, bound ${worst.bound.toExponential(1)}`,
  });

  const begun = performance.now();
  let shownAt = 0;
  const stepsPerSecond = (done: number) => (done / (performance.now() - begun)) * 1000;
  const rest = await session.run(inputs, {
    steps: steps - 1,
    onProgress({ step, outputs }) {
      const now = performance.now();
      if (step === steps - 1 || now - shownAt < reportEveryMs) return; // the last is told below
      shownAt = now;
      const loss = outputs.loss ?? Number.NaN;
      show({ kind: "progress", id, step: step + 1, steps, loss, stepsPerSecond: stepsPerSecond(step) });
    },
  });
  const speed = stepsPerSecond(steps - 1);
  const histories = Object.fromEntries(
    Object.entries(first).map(([name, values]) => [name, Float32Array.of(...values, ...(rest[name] ?? []))]),
  );
  const loss = histories.loss?.at(-1) ?? Number.NaN;
  show({ kind: "progress", id, step: steps, steps, loss, stepsPerSecond: speed });

  const { lines, figures } = await experiment.conclude(device, session, histories);
  const weights: Record<string, { shape: Shape; values: Float32Array }> = {};
  for (const name of experiment.weights) {
    const shape = program.parameters[name]?.shape ?? [];
    weights[name] = { shape, values: await session.read(name) };
  }
  session.dispose();
  show({ kind: "end", id, lines, weights: base64(writeSafetensors(weights, { network: title })) });
  return { ok: parity.ok, figures };
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
