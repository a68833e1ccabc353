/** @typedef {import("../test/support/operation-parity").Parity} Parity */

/**
 * The operations, and for each adapter the error that is the largest part of its bound, beside that part; for one adapter
 * also the bound and the case.
 * @param {{ title: string, parities: readonly Parity[] }[]} adapters
 */
export function parityTable(adapters) {
  const alone = adapters.length === 1;
  const head = [
    "operation",
    "cases",
    ...adapters.flatMap(({ title }) => (alone ? ["error", "bound", "error/bound", "where"] : [title, "of bound"])),
  ];
  const operations = [...new Set(adapters.flatMap(({ parities }) => parities.map(({ op }) => op)))].sort();
  const rows = operations.map((op) => {
    const found = adapters.map(({ parities }) => parities.filter((each) => each.op === op));
    const cells = found.flatMap((cases) => {
      if (cases.length === 0) return ["not run", ...(alone ? ["", "", ""] : [""])];
      const worst = cases.reduce((a, b) => (shareOf(b) > shareOf(a) ? b : a));
      if (worst.error === 0) return ["0", ...(alone ? ["", "", ""] : [""])];
      const [error, bound, share] = [
        worst.error.toExponential(2),
        worst.bound.toExponential(2),
        shareOf(worst).toFixed(3),
      ];
      return alone ? [error, bound, share, worst.where] : [error, share];
    });
    return [op, String(Math.max(...found.map(({ length }) => length))), ...cells];
  });
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const set = (/** @type {string[]} */ line) =>
    line
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  return lines.map(set).join("\n");
}

/** @param {Parity} parity */
const shareOf = ({ error, bound }) => (error === 0 ? 0 : error / bound);
