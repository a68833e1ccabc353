import type { Values } from "../graph/program";
import type { Session } from "../session";
import { type Shape, sizeOf } from "../util/shape";

export type Arrays = Record<string, Float32Array>;

/**
 * The weights and the optimizer's state. They are where they were last changed: on the host, or in the session that
 * trains, where they stay while it does.
 */
export class State {
  readonly names: readonly string[];
  readonly weightNames: readonly string[];
  private values: Arrays;
  private owner: Session | null = null;
  /** Grows with each change of a weight. */
  version = 0;
  /** What was last read, as of a version: the weights, or everything. */
  private known: { version: number; values: Arrays; whole: boolean } | null = null;

  constructor(
    readonly shapes: Record<string, Shape>,
    weights: Arrays,
  ) {
    this.names = Object.keys(shapes);
    this.weightNames = Object.keys(weights);
    const slots = this.names.map((name): [string, Float32Array] => [
      name,
      new Float32Array(sizeOf(shapes[name] ?? [])),
    ]);
    this.values = { ...Object.fromEntries(slots), ...weights };
  }

  /** Current weights, for reading only, and which version they are. */
  async weights(): Promise<{ version: number; weights: Arrays }> {
    const { version, weightNames } = this;
    if (this.known?.version !== version) this.known = { version, values: await this.read(weightNames), whole: false };
    const { values } = this.known;
    return { version, weights: Object.fromEntries(weightNames.map((name) => [name, values[name] as Float32Array])) };
  }

  /** Everything, for reading only, all of the same step: what is read is queued at once, so that no step runs in between. */
  async all(): Promise<Arrays> {
    const { version, known } = this;
    if (known?.whole && known.version === version) return known.values;
    const values = await this.read(this.names);
    if (this.owner !== null) this.known = { version, values, whole: true };
    return values;
  }

  private async read(names: readonly string[]): Promise<Arrays> {
    const { owner } = this;
    const arrays = owner === null ? names.map((name) => this.values[name] as Float32Array) : await owner.readAll(names);
    return Object.fromEntries(names.map((name, i) => [name, arrays[i] as Float32Array]));
  }

  /** Takes in everything as it is now in the session that has it, read beside something else. */
  took(session: Session, values: Arrays): void {
    if (this.owner === session) this.known = { version: this.version, values, whole: true };
  }

  /** Replaces some or all. */
  write(values: Record<string, Values>): void {
    const copies = Object.fromEntries(Object.entries(values).map(([name, array]) => [name, Float32Array.from(array)]));
    if (this.owner !== null) this.owner.write(copies);
    else Object.assign(this.values, copies);
    const { known, version } = this;
    this.version++;
    // What was read stays known, with what replaces a part of it.
    if (known?.version === version)
      this.known = { version: this.version, values: { ...known.values, ...copies }, whole: known.whole };
  }

  /** Everything where it is known without asking a session, for reading only. */
  get whole(): Arrays | null {
    if (this.owner === null) return this.values;
    return this.known?.whole && this.known.version === this.version ? this.known.values : null;
  }

  /** Takes everything back to the host as it was: the session that had it has no part in it any more. */
  restore(values: Arrays): void {
    this.version++;
    this.owner = null;
    this.values = { ...values };
  }

  /** Hands everything to a session that will train; the session before has no part in it any more. */
  async moveTo(session: Session): Promise<void> {
    if (this.owner === session) return;
    const values = await this.all();
    session.write(values);
    this.owner = session;
    this.values = {};
    this.took(session, values);
  }

  /** To be called when the owner runs steps. */
  changed(): void {
    this.version++;
  }
}

/** The first array that has something not finite, or null. */
export function firstNonFinite(values: Arrays): string | null {
  for (const [name, array] of Object.entries(values)) {
    for (let i = 0; i < array.length; i++) if (!Number.isFinite(array[i])) return name;
  }
  return null;
}
