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
  /** The weights as of a version. */
  private known: { version: number; weights: Arrays } | null = null;

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
    const { version } = this;
    if (this.known?.version === version) return this.known;
    const known = { version, weights: await this.read(this.weightNames) };
    this.known = known;
    return known;
  }

  /** Everything, all of the same step: what is read is queued at once, so that no step runs in between. */
  async all(): Promise<Arrays> {
    const { version } = this;
    const values = await this.read(this.names);
    if (this.owner !== null) {
      this.known = {
        version,
        weights: Object.fromEntries(this.weightNames.map((name) => [name, values[name] as Float32Array])),
      };
    }
    return values;
  }

  private async read(names: readonly string[]): Promise<Arrays> {
    const { owner } = this;
    const arrays = await Promise.all(
      names.map((name) => (owner === null ? (this.values[name] as Float32Array) : owner.read(name))),
    );
    return Object.fromEntries(names.map((name, i) => [name, arrays[i] as Float32Array]));
  }

  /** Replaces some or all. */
  write(values: Record<string, Values>): void {
    this.version++;
    if (this.owner !== null) this.owner.write(values);
    else for (const [name, array] of Object.entries(values)) this.values[name] = Float32Array.from(array);
  }

  /** Hands everything to a session that will train; the session before has no part in it any more. */
  async moveTo(session: Session): Promise<void> {
    if (this.owner === session) return;
    session.write(await this.all());
    this.owner = session;
    this.values = {};
  }

  /** To be called when the owner runs steps. */
  changed(): void {
    this.version++;
  }
}

/** The first array that has something not finite, or null. */
export function firstNonFinite(values: Arrays): string | null {
  for (const [name, array] of Object.entries(values)) {
    for (const value of array) if (!Number.isFinite(value)) return name;
  }
  return null;
}
