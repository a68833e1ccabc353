/** What is known of the training as it stands. */
export interface Now {
  step: number;
  training: boolean;
  /** 0 where it is not known. */
  stepsPerSecond: number;
  /** The figures in a few words. */
  said: string;
}

/** Less may be the compiling of a network. */
const HELD_SECONDS = 3;
/** What was told while the page was hidden has arrived by then. */
const ARRIVED_MS = 500;

/**
 * While a tab is hidden nobody sees its figures: its title says them. Training goes on there, unless the browser holds
 * or slows the tab; then that is said when it comes back.
 */
export class Presence {
  private readonly title = document.title;
  private left: { timeMs: number; now: Now } | null = null;

  constructor(
    private readonly now: () => Now,
    private readonly held: (message: string) => void,
  ) {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        this.left = { timeMs: performance.now(), now: this.now() };
        this.look();
      } else this.back();
    });
  }

  /** There are other figures. */
  look(): void {
    if (!document.hidden) return;
    const { training, said } = this.now();
    document.title = `${training ? "" : "Stands: "}${said}`;
  }

  private back(): void {
    document.title = this.title;
    const { left } = this;
    this.left = null;
    if (!left?.now.training) return;
    const seconds = (performance.now() - left.timeMs) / 1000;
    const rate = left.now.stepsPerSecond;
    if (seconds < HELD_SECONDS || rate === 0) return;
    setTimeout(() => {
      const { step, training } = this.now();
      const done = Math.max(0, Math.round(step - left.now.step - (rate * ARRIVED_MS) / 1000));
      if (!training || done > (rate * seconds) / 4) return;
      const steps = (whole: number) => whole.toLocaleString("en");
      this.held(
        `While this tab was hidden the browser held it: about ${steps(done)} steps in ${Math.round(seconds)} s. It goes on from step ${steps(step)}.`,
      );
    }, ARRIVED_MS);
  }
}
