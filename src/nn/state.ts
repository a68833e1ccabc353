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
  /** What no session has. */
  private values: Arrays;
  private owner: Session | null = null;
  /** What the owner has of all. */
  private owned: ReadonlySet<string> = new Set();
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
    const { owner, owned, values } = this;
    const asked = names.filter((name) => owned.has(name));
    const arrays = owner === null || asked.length === 0 ? [] : await owner.readAll(asked);
    const read = Object.fromEntries(asked.map((name, i) => [name, arrays[i] as Float32Array]));
    return Object.fromEntries(names.map((name) => [name, read[name] ?? (values[name] as Float32Array)]));
  }

  /** Names of what is in the session that trains. */
  get inSession(): readonly string[] {
    return [...this.owned];
  }

  /** Takes in everything as it is now in the session that has it, read beside something else. */
  took(session: Session, values: Arrays): void {
    if (this.owner === session)
      this.known = { version: this.version, values: { ...this.values, ...values }, whole: true };
  }

  /** Replaces some or all. */
  write(values: Record<string, Values>): void {
    const copies = Object.fromEntries(Object.entries(values).map(([name, array]) => [name, Float32Array.from(array)]));
    const [inSession, others] = this.parted(copies);
    if (Object.keys(inSession).length > 0) this.owner?.write(inSession);
    Object.assign(this.values, others);
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
    this.owned = new Set();
    this.values = { ...values };
  }

  /** Hands over to a session that will train what is in it, by these names; the session before has no part in it any more. */
  async moveTo(session: Session, names: readonly string[] = this.names): Promise<void> {
    if (this.owner === session) return;
    const values = await this.all();
    const owned = new Set(names);
    const [inSession, others] = this.parted(values, owned);
    session.write(inSession);
    this.owner = session;
    this.owned = owned;
    this.values = others;
    this.took(session, inSession);
  }

  private parted(values: Arrays, owned = this.owned): [Arrays, Arrays] {
    const entries = Object.entries(values);
    const those = (has: boolean) => Object.fromEntries(entries.filter(([name]) => owned.has(name) === has));
    return [those(true), those(false)];
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
