/** How long the steps between two looks should take, in milliseconds: about a dozen pictures a second. */
const CHUNK_MS = 70;

/** How many steps to take before the next look. */
export class Pace {
  constructor(
    /** A power of four. */
    public chunk = 16,
    private readonly wantedMs = CHUNK_MS,
  ) {}

  /**
   * So long took a chunk, which ended at this step. Small at first, so that the bend of the curves is seen, then four times larger and again,
   * as long as one stays short.
   */
  took(spentMs: number, step: number): void {
    const { chunk, wantedMs } = this;
    const most = step < 256 ? 16 : step < 1024 ? 64 : step < 8192 ? 256 : 4096;
    if (spentMs > wantedMs * 2.5 && chunk > 1) this.chunk = chunk / 4;
    else if (spentMs < wantedMs / 4 && chunk * 4 <= most) this.chunk = chunk * 4;
  }
}
