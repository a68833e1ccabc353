/** What a part of a kernel reads and writes. */
export interface Touched<Place> {
  readonly reads: Iterable<Place>;
  readonly writes: Iterable<Place>;
}

/**
 * Where threads that go through parts of a kernel side by side must wait for one another: before a part that touches what another one since
 * the last wait has written, or overwrites what it read.
 */
export class Waits<Place> {
  private readonly read = new Set<Place>();
  private readonly written = new Set<Place>();

  /** Takes up the next part; whether all must wait before it. */
  before({ reads, writes }: Touched<Place>): boolean {
    const waits =
      [...reads].some((place) => this.written.has(place)) ||
      [...writes].some((place) => this.written.has(place) || this.read.has(place));
    if (waits) this.all();
    for (const place of reads) this.read.add(place);
    for (const place of writes) this.written.add(place);
    return waits;
  }

  /** All have waited. */
  all(): void {
    this.read.clear();
    this.written.clear();
  }
}
