import { asking, exact, first, learning, relativeError } from "../../../examples/pinn";
import type { Session, Tensor } from "../../index";
import type { Config } from "../config";
import { factsOf } from "../training/device";
import { Pace } from "../training/pace";
import { Training } from "../training/training";
import { type BurgersSaid, CELLS, STEPS } from "./burgers-messages";

const cells = Array.from({ length: CELLS ** 2 }, (_, i) => ({
  x: (2 * ((i % CELLS) + 0.5)) / CELLS - 1,
  t: 1 - (Math.floor(i / CELLS) + 0.5) / CELLS,
}));

/** Solves Burgers' equation, in a worker. */
export class BurgersEngine extends Training<BurgersSaid> {
  private solving: {
    network: Record<string, Tensor>;
    session: Session;
    answer: Session;
    points: ReturnType<typeof first>;
    step: number;
  } | null = null;
  private pace = new Pace(4, 200);
  private readonly right = cells.map(({ x, t }) => exact(x, t));

  make(backend: Config["backend"], train: boolean): Promise<void> {
    this.training = false;
    return this.after(async () => {
      const device = await this.open(backend);
      this.release();
      const { network, program } = learning(STEPS);
      const [session, answer] = await Promise.all([
        device.compile(program),
        device.compile(asking(network, cells.length)),
      ]);
      this.pace = new Pace(4, 200);
      this.solving = { network, session, answer, points: first(session, network), step: 0 };
      this.tell({ kind: "made", device: factsOf(device), exact: Float32Array.from(this.right) });
      await this.guarded(() => this.look());
      if (train) void this.train();
    });
  }

  protected advance(): Promise<void> {
    return this.guarded(async () => {
      const { solving, pace } = this;
      if (!solving || solving.step >= STEPS) return this.finish();
      const began = performance.now();
      const steps = Math.min(pace.chunk, STEPS - solving.step);
      await solving.session.run(solving.points, { steps });
      solving.step += steps;
      pace.took(performance.now() - began, solving.step);
      await this.look();
      if (solving.step >= STEPS) this.finish();
    });
  }

  protected release(): void {
    this.solving?.session.dispose();
    this.solving?.answer.dispose();
    this.solving = null;
  }

  /** It is solved anew by who asks for it: that takes seconds. */
  protected outlive(): void {
    this.opened = null;
  }

  private async look(): Promise<void> {
    if (!this.solving) return;
    const { network, session, answer, step } = this.solving;
    for (const name of Object.keys(network)) answer.write({ [name]: await session.read(name) });
    const { u = new Float32Array() } = await answer.run({ x: cells.map(({ x }) => x), t: cells.map(({ t }) => t) });
    this.tell({ kind: "look", look: { step, found: u, error: relativeError(u, this.right) } });
  }
}
