/** Three figures, in a unit that fits. */
export function time(ms: number): string {
  if (ms >= 10_000) return `${figures(ms / 1000)} s`;
  if (ms >= 0.1) return `${figures(ms)} ms`;
  return `${figures(ms * 1000)} µs`;
}

export function figures(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value >= 100) return Math.round(value).toLocaleString("en").replaceAll(",", "\u202f");
  return Number(value.toPrecision(3)).toString();
}

export function times(ratio: number): string {
  return `${figures(ratio)}×`;
}

export function kilobytes(bytes: number): string {
  return `${figures(bytes / 1000)} kB`;
}

export type Align = "left" | "right";
export interface Column {
  title: string;
  align: Align;
}
export type Line = readonly string[] | { heading: string };

/** For a terminal: columns of equal width. */
export function alignedTable(columns: readonly Column[], lines: readonly Line[]): string {
  const rows = lines.filter((line): line is readonly string[] => !("heading" in line));
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? "").length)));
  const set = (row: readonly string[]) =>
    columns
      .map(({ align }, i) => {
        const text = row[i] ?? "";
        const width = widths[i] as number;
        return align === "left" ? text.padEnd(width) : text.padStart(width);
      })
      .join("  ")
      .trimEnd();
  const head = set(columns.map(({ title }) => title));
  return [head, ...lines.map((line) => ("heading" in line ? `\n${line.heading}` : set(line)))].join("\n");
}

/** For a README: a heading within the table is a row of its own, in bold. */
export function markdownTable(columns: readonly Column[], lines: readonly Line[]): string {
  const row = (cells: readonly string[]) => `| ${columns.map((_, i) => cells[i] ?? "").join(" | ")} |`;
  return [
    row(columns.map(({ title }) => title)),
    `|${columns.map(({ align }) => (align === "left" ? "---" : "---:")).join("|")}|`,
    ...lines.map((line) => ("heading" in line ? row([`**${line.heading}**`]) : row(line))),
  ].join("\n");
}
