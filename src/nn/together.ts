import type { Device } from "../device";
import type { Program } from "../graph/program";
import type { Session } from "../session";
import { DeviceError } from "../util/errors";
import type { Order } from "./standing";
import type { Arrays } from "./state";

/** One network of an ensemble, on the host between two calls. */
export interface Network {
  readonly index: number;
  readonly seed: number;
  /** Weights, the layers' state and the optimizer's. */
  values: Arrays;
  /** Steps trained so far, over all fits. */
  steps: number;
  order: Order | null;
  /** Why it is not trained any more. */
  dropped: Dropped | null;
}

/** A network that became non-finite. */
export interface Dropped {
  network: number;
  seed: number;
  /** The step of the fit whose loss is not finite, or after which a weight is not. */
  step: number;
  /** What is not finite: the loss, or the name of a weight. */
  tensor: string;
}

/** What is compiled for so many networks at once, and which of its inputs each has for itself. */
export interface Shared {
  readonly program: Program;
  readonly own: readonly string[];
}

/** Data that all networks are given: one array for all copies. */
const DATA = ["data.x", "data.y", "data.weights"];

/** Sessions of networks side by side, as many at once as the device has room for. */
export class Together {
  private readonly sessions = new Map<string, { readonly session: Session; readonly shared: Shared }>();
  private disposed = false;
  atOnce: number;

  constructor(
    private readonly device: Device,
    count: number,
  ) {
    this.atOnce = count;
  }

  /** What `make` makes for `atOnce` networks, compiled and kept; for fewer of them, from here on, where the device refuses. Throws DeviceError. */
  async compiled<S extends Shared>(key: string, make: (atOnce: number) => S): Promise<{ session: Session; shared: S }> {
    for (;;) {
      const known = this.sessions.get(key);
      if (known) return known as { session: Session; shared: S };
      const shared = make(this.atOnce);
      const { program, own } = shared;
      const data = DATA.filter((name) => Object.hasOwn(program.parameters, name));
      try {
        const session = await this.device.compile(program, { copies: this.atOnce, own, shared: data });
        if (this.disposed) {
          session.dispose();
          throw new DeviceError("the ensemble was disposed during the call; make another with ensemble()");
        }
        const made = { session, shared };
        this.sessions.set(key, made);
        return made;
      } catch (error) {
        if (!(error instanceof DeviceError) || this.atOnce === 1 || this.disposed) throw error;
        this.clear();
        this.atOnce = Math.ceil(this.atOnce / 2);
      }
    }
  }

  /** Rounds of networks. A round that is not full has its last one several times, which counts once. */
  rounds(networks: readonly Network[]): { networks: readonly Network[]; copies: readonly Network[] }[] {
    const rounds = [];
    for (let from = 0; from < networks.length; from += this.atOnce) {
      const round = networks.slice(from, from + this.atOnce);
      const last = round[round.length - 1] as Network;
      rounds.push({ networks: round, copies: Array.from({ length: this.atOnce }, (_, i) => round[i] ?? last) });
    }
    return rounds;
  }

  private clear(): void {
    for (const { session } of this.sessions.values()) session.dispose();
    this.sessions.clear();
  }

  dispose(): void {
    this.disposed = true;
    this.clear();
  }
}

/** The values of each copy, one after another. */
export function sideBySide(copies: readonly Network[], names: readonly string[]): Arrays {
  return Object.fromEntries(
    names.map((name) => {
      const size = copies[0]?.values[name]?.length ?? 0;
      const values = new Float32Array(copies.length * size);
      copies.forEach((network, copy) => {
        values.set(network.values[name] as Float32Array, copy * size);
      });
      return [name, values];
    }),
  );
}

/** What of `values`, of so many copies one after another, is of one. */
export function ofCopy(values: Float32Array, copy: number, copies: number): Float32Array {
  const size = values.length / copies;
  return values.slice(copy * size, (copy + 1) * size);
}
