/** A part of the page; only the one that is shown trains. */
export interface Part {
  shown(): void;
  left(): void;
}
