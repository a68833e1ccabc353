import { canonical, type Json } from "./json";
import { BY, type By, better, type Figures, ranked, type SweepResults, type TrialResult } from "./results";
import { type Plan, rungsOf } from "./strategy";
import { shapeOf, type Trial } from "./trial";
import type { Outcome, Work } from "./work";

/** Bytes by name: where a sweep keeps what it goes on from. A folder, an IndexedDB; or a Map, for as long as it is held. */
export interface SweepStore {
  get(key: string): Kept<Uint8Array | null | undefined>;
  /** Whole or not at all: what was there before stays until the new is written. */
  set(key: string, bytes: Uint8Array): Kept<unknown>;
  delete(key: string): Kept<unknown>;
}

type Kept<T> = T | Promise<T>;

/** How far a sweep is. */
export interface SweepProgress {
  /** Epochs done, of all that there are over all trials. */
  readonly epochs: number;
  readonly ofEpochs: number;
  readonly trials: number;
  /** Trials that came to their end, or are trained no more; those that failed are among them. */
  readonly ended: number;
  readonly failed: number;
  readonly best: TrialResult | null;
}

/** Has works done, wherever. */
export interface Runner {
  /** Tells what became of each work, once. Rejects with the signal's reason, and where no more can be done. */
  run(works: readonly Work[], told: Told, signal: AbortSignal | undefined): Promise<void>;
  /** Trials that need no checkpoint any more. */
  forget(ids: readonly number[]): Promise<void>;
}

export interface Told {
  ended(work: Work, outcomes: readonly Outcome[]): Promise<void>;
  /** Epochs that the trials of a work have come to. */
  progress(work: Work, epochs: number): void;
}

export interface Conducted {
  readonly plan: Plan;
  readonly trials: readonly Trial[];
  readonly by: By;
  /** At most so many trials in a work. */
  readonly together: number;
  readonly store: SweepStore | null;
  /** What the sweep is of, besides its trials. */
  readonly data: string;
  readonly signal?: AbortSignal | undefined;
  onProgress?(progress: SweepProgress): void;
}

const FORMAT = "wgrad sweep state 1";
const STATE = "state";

/** What is known of a trial. */
interface Standing {
  /** At the end of each rung that it was in. */
  readonly rungs: { readonly epochs: number; readonly figures: Figures }[];
  failed?: string;
  /** Others were better. */
  stopped?: true;
}

/** Has all trials of a sweep trained by a runner, rung by rung, and goes on where the store's state says that it stood. */
export async function conduct(conducted: Conducted, runner: Runner): Promise<SweepResults> {
  const { plan, trials, by, together, store, signal, onProgress } = conducted;
  const rungs = rungsOf(plan, trials);
  const of = fingerprint(
    canonical([trials, plan.halving, plan.halving && by, conducted.data, rungs] as unknown as Json),
  );
  const standings = await readState(store, of, trials.length);
  const result = (id: number): TrialResult => resultOf(id, conducted, standings[id] as Standing);
  const write = async () => {
    const state = { format: FORMAT, of, trials: standings };
    await store?.set(STATE, new TextEncoder().encode(JSON.stringify(state)));
  };
  const epochsOf = (id: number, rung: number) => rungs[rung]?.epochs ?? (trials[id] as Trial).epochs;

  const ofEpochs = rungs.reduce((sum, { epochs, trials: count }, i) => {
    if (epochs === null) return trials.reduce((all, trial) => all + trial.epochs, 0);
    return sum + count * (epochs - (rungs[i - 1]?.epochs ?? 0));
  }, 0);
  const running = new Map<number, number>();
  const tell = (over = false) => {
    const all = standings.map((_, id) => result(id));
    const reached = standings.map(({ rungs }, id) => Math.max(rungs.at(-1)?.epochs ?? 0, running.get(id) ?? 0));
    const ended = all.filter(({ status }) => status !== "waiting").length;
    const failed = all.filter(({ status }) => status === "failed").length;
    const best = all.filter((each) => each[by] !== undefined && each.status !== "failed");
    onProgress?.({
      epochs: over ? ofEpochs : reached.reduce((sum, epochs) => sum + epochs, 0),
      ...{ ofEpochs, trials: trials.length, ended, failed },
      best: best.sort((a, b) => better(by, a, b))[0] ?? null,
    });
  };
  let toldAt = Number.NEGATIVE_INFINITY;

  let candidates = [...trials.keys()];
  for (const [rung, { trials: most }] of rungs.entries()) {
    candidates = chosen(candidates, standings, most, by, rung, result);
    const isDone = (id: number) => {
      const { rungs: had, failed } = standings[id] as Standing;
      return failed !== undefined || had.length > rung;
    };
    // The same works whatever is done of them, so that one that is begun somewhere is found again.
    const works = worksOf(candidates, trials, together, (id) => epochsOf(id, rung)).filter(
      ({ trials }) => !trials.every(({ id }) => isDone(id)),
    );
    const last = rung === rungs.length - 1;
    await write();
    tell();
    const ended = async (work: Work, outcomes: readonly Outcome[]) => {
      for (const outcome of outcomes) {
        if (!work.trials.some(({ id }) => id === outcome.id) || isDone(outcome.id)) continue; // it counts once
        const standing = standings[outcome.id] as Standing;
        if ("failed" in outcome) standing.failed = outcome.failed;
        else standing.rungs.push({ epochs: work.epochs, figures: outcome.figures });
      }
      await write();
      const ids = work.trials.map(({ id }) => id);
      for (const id of ids) running.delete(id);
      if (last) await runner.forget(ids);
      tell();
    };
    const progress = (work: Work, epochs: number) => {
      for (const { id } of work.trials) running.set(id, epochs);
      if (performance.now() - toldAt < PROGRESS_MS) return;
      toldAt = performance.now();
      tell();
    };
    signal?.throwIfAborted();
    if (works.length > 0) await runner.run(works, { ended, progress }, signal);
    if (last) continue;
    const next = chosen(candidates, standings, rungs[rung + 1]?.trials ?? 0, by, rung + 1, result);
    const stopped = candidates.filter((id) => !next.includes(id));
    for (const id of stopped) if (standings[id]?.failed === undefined) (standings[id] as Standing).stopped = true;
    await runner.forget(stopped);
  }
  await write();
  tell(true);
  return ranked(by, [...standings.keys()].map(result));
}

const PROGRESS_MS = 100;

/** The best at the rung before, by its figures: what came after makes no difference to it. */
function chosen(
  candidates: readonly number[],
  standings: readonly Standing[],
  most: number,
  by: By,
  rung: number,
  result: (id: number) => TrialResult,
): number[] {
  if (rung === 0) return [...candidates];
  const at = (id: number): TrialResult => {
    const reached = standings[id]?.rungs[rung - 1];
    const { status: _, ...all } = result(id);
    const status = reached === undefined ? "failed" : "waiting";
    return { ...all, ...reached?.figures, epochs: reached?.epochs ?? 0, status };
  };
  const alive = candidates.map(at).filter(({ status }) => status !== "failed");
  return alive
    .sort((a, b) => better(by, a, b))
    .slice(0, most)
    .map(({ id }) => id)
    .sort((a, b) => a - b);
}

/** Trials of one shape and as many epochs together, in the order of the first of each. */
function worksOf(
  ids: readonly number[],
  trials: readonly Trial[],
  together: number,
  epochsOf: (id: number) => number,
): Work[] {
  const groups = new Map<string, number[]>();
  for (const id of ids) {
    const shape = shapeOf(trials[id] as Trial) ?? `alone ${id}`;
    const key = `${epochsOf(id)} ${shape}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [id]);
    else group.push(id);
  }
  const works: Work[] = [];
  for (const group of groups.values()) {
    for (let from = 0; from < group.length; from += together) {
      const part = group.slice(from, from + together);
      const own = part.map((id) => ({ id, trial: trials[id] as Trial }));
      works.push({ epochs: epochsOf(part[0] as number), trials: own });
    }
  }
  return works.sort((a, b) => (a.trials[0]?.id ?? 0) - (b.trials[0]?.id ?? 0));
}

function resultOf(id: number, { plan, trials }: Conducted, { rungs, failed, stopped }: Standing): TrialResult {
  const trial = trials[id] as Trial;
  const reached = rungs.at(-1);
  const done = reached !== undefined && reached.epochs >= trial.epochs;
  return {
    id,
    status: failed !== undefined ? "failed" : done ? "done" : stopped ? "stopped" : "waiting",
    point: plan.points[id] ?? {},
    epochs: reached?.epochs ?? 0,
    ...reached?.figures,
    ...(failed !== undefined && { reason: failed }),
    trial,
  };
}

async function readState(store: SweepStore | null, of: string, count: number): Promise<Standing[]> {
  const bytes = await store?.get(STATE);
  if (!bytes) return Array.from({ length: count }, () => ({ rungs: [] }));
  const refused = (what: string) =>
    new Error(`sweep: the store's state is ${what}; give another store, or delete its "${STATE}" to begin anew.`);
  let state: { format?: unknown; of?: unknown; trials?: unknown };
  try {
    state = JSON.parse(new TextDecoder().decode(bytes)) as typeof state;
  } catch {
    throw refused("no JSON");
  }
  if (state?.format !== FORMAT) throw refused(`of another version, ${String(state?.format)}`);
  if (state.of !== of) throw refused("that of another sweep: of other trials, data, or another strategy");
  const { trials } = state;
  const isFigures = (figures: unknown) =>
    typeof figures === "object" && figures !== null && BY.some((name) => name in figures);
  const isStanding = (each: Partial<Standing> | null) =>
    Array.isArray(each?.rungs) &&
    each.rungs.every((rung) => Number.isInteger(rung?.epochs) && isFigures(rung.figures)) &&
    (each.failed === undefined || typeof each.failed === "string");
  if (!Array.isArray(trials) || trials.length !== count || !trials.every(isStanding)) throw refused("incomplete");
  return trials as Standing[];
}

/** A short text that differs where what it is of does, by all likelihood: FNV-1a of 32 bits from two beginnings. */
export function fingerprint(of: string | Uint8Array): string {
  let [a, b] = [0x811c9dc5, 0x9e3779b9];
  const bytes = typeof of === "string" ? new TextEncoder().encode(of) : of;
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x01000193) ^ (b >>> 13);
  }
  return [a, b].map((each) => (each >>> 0).toString(16).padStart(8, "0")).join("");
}
