export const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

export const PART = ["x", "y", "z", "w"] as const;

/** WGSL of a sum, added in pairs: its rounding error grows more slowly. */
export function pairwise(terms: readonly string[]): string {
  if (terms.length <= 2) return terms.join(" + ");
  const half = terms.length >> 1;
  return `(${pairwise(terms.slice(0, half))}) + (${pairwise(terms.slice(half))})`;
}
