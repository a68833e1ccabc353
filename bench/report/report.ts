import type { Results } from "../results";
import { alignedTable, figures, type Line, markdownTable } from "./format";
import {
  contenderLines,
  crossingLines,
  entriesTable,
  fleetTable,
  headOf,
  limitLine,
  limitTable,
  loadingTable,
  scalingTable,
  type Table,
  workloadTable,
} from "./table";
import { targetTable } from "./targets";

interface Section {
  title: string;
  table: Table | null;
  notes?: readonly string[];
}

function sections(results: Results): Section[] {
  const { loading, entries, scaling } = results;
  return [
    { title: "Workloads", table: workloadTable(results), notes: contenderLines(results) },
    ...(loading.length > 0
      ? [{ title: "W5  From navigation to the loss of the first W1 step", table: loadingTable(loading) }]
      : []),
    ...(entries
      ? [{ title: "Entry points of the package, all that each exports, gzip", table: entriesTable(entries) }]
      : []),
    ...scaling.map((one) => ({ title: `W6  ${one.title}`, table: scalingTable(one), notes: crossingLines(one) })),
    { title: "Limits", table: limitTable(results), notes: [limitLine(results)] },
    { title: "Targets", table: targetTable(results) },
  ].filter(({ table }) => table?.lines.some((line) => !("heading" in line)));
}

/** The whole report for a terminal. */
export function terminalReport(results: Results): string {
  const parts = sections(results).map(({ title, table, notes = [] }) =>
    [title, table && alignedTable(table.columns, table.lines), ...notes].filter(Boolean).join("\n"),
  );
  return [headOf(results).join("\n"), ...parts, `measured in ${figures(results.seconds)} s`].join("\n\n");
}

/** The medians of ours in several browsers, a column each. */
export function fleetReport(browsers: readonly { title: string; results: Results }[]): string {
  const { columns, lines } = fleetTable(browsers);
  return `wgrad by browser, medians of a step\n${alignedTable(columns, lines)}`;
}

/** The whole report for bench/README.md. */
export function markdownReport(results: Results): string {
  const parts = sections(results).map(({ title, table, notes = [] }) =>
    [`### ${title}`, table && markdownTable(table.columns, table.lines.map(plain)), notes.join("  \n")]
      .filter(Boolean)
      .join("\n\n"),
  );
  return [headOf(results).join("  \n"), ...parts].join("\n\n");
}

function plain(line: Line): Line {
  return "heading" in line ? line : line.map((cell) => cell.replaceAll("|", "\\|"));
}
