import fc from "fast-check";
import { expect, inject } from "vitest";
import { stepBounds } from "../../src/cpu/bounds";
import { compareStep } from "../../src/cpu/parity";
import type { Program, Session } from "../../src/index";
import type { Arrays } from "../../src/runner";
import { sizeOf } from "../../src/util/shape";
import { type Fuzzed, fuzzed } from "./programs";

declare module "vitest" {
  interface ProvidedContext {
    /** How many programs each device is given instead of the usual number, and from which seed; `npm run fuzz` says. */
    fuzz: { runs: number | null; seed: number };
  }
}

interface Compiles {
  compile(program: Program): Promise<Session>;
}

const STEPS = 3;

/** Random programs on a device: every step of a run within its bounds from the state before it, and many steps the same bits as one after another. */
export async function agrees(device: Compiles, usualRuns: number): Promise<void> {
  const { runs, seed } = inject("fuzz");
  const judged = { yes: 0, not: 0 };
  await fc.assert(
    fc.asyncProperty(fuzzed, async (given) => {
      const session = await device.compile(given.program);
      try {
        await stepByStep(session, given, judged);
      } catch (error) {
        throw new Error(`${error instanceof Error ? error.message : String(error)}\n${session.explain()}`);
      } finally {
        session.dispose();
      }
    }),
    { numRuns: runs ?? usualRuns, seed, endOnFailure: false, interruptAfterTimeLimit: 4 * 3600_000 },
  );
  // Else little would be tried.
  expect(judged.not, `of ${judged.yes + judged.not} results`).toBeLessThan(0.1 * judged.yes);
}

async function stepByStep(
  session: Session,
  { program, parameters, inputs }: Fuzzed,
  judged: { yes: number; not: number },
): Promise<void> {
  const names = Object.keys(program.parameters);
  const state = async () => {
    const values = await Promise.all(names.map((name) => session.read(name)));
    return Object.fromEntries(names.map((name, i) => [name, values[i] as Float32Array]));
  };
  session.write(parameters);
  const histories: Record<string, number[]> = { loss: [], largest: [] };
  for (let step = 0; step < STEPS; step++) {
    const before = await state();
    const outputs = await session.run(inputs);
    const after = await state();
    const updates = Object.fromEntries(
      Object.keys(program.updates ?? {}).map((name) => [name, after[name] as Float32Array]),
    );
    const report = compareStep(program, stepBounds(program, before, inputs as Arrays), { outputs, updates });
    for (const { name, shape, ok, unbounded } of report.rows) {
      // Of what may lie on a pole, for all that the operands' errors say, there is nothing to be said; it is counted.
      const unjudged = unbounded === sizeOf(shape);
      judged[unjudged ? "not" : "yes"]++;
      if (!ok && !unjudged) throw new Error(`step ${step}, ${name}: ${report}`);
    }
    for (const name of names) {
      if (!Object.hasOwn(updates, name)) same(`${name}, which no update changes`, after[name], before[name]);
    }
    for (const [name, history] of Object.entries(histories)) history.push(outputs[name]?.[0] as number);
  }
  const end = await state();
  session.write(parameters);
  const together = await session.run(inputs, { steps: STEPS });
  for (const [name, history] of Object.entries(histories)) same(`the history of ${name}`, together[name], history);
  const endTogether = await state();
  for (const name of names) same(`${name} after ${STEPS} steps at once`, endTogether[name], end[name]);
}

function same(what: string, got: ArrayLike<number> | undefined, expected: ArrayLike<number> | undefined): void {
  if (got === undefined || expected === undefined || got.length !== expected.length)
    throw new Error(`${what}: ${got?.length} values, expected ${expected?.length}`);
  for (let i = 0; i < got.length; i++) {
    if (!Object.is(got[i], expected[i])) throw new Error(`${what}: ${got[i]} at ${i}, one by one it is ${expected[i]}`);
  }
}
