import { confusionMatrix } from "../../index";
import { h } from "./dom";

/** What is taken for what: a row for each class as it is, a column for each as it is said to be, and how many of the row are found. */
export function confusionTable(
  actual: ArrayLike<number>,
  said: ArrayLike<number>,
  names: readonly string[],
): HTMLElement {
  const { counts, recall } = confusionMatrix(actual, said, names.length);
  const most = Math.max(1, ...counts.flatMap((row, k) => row.filter((_, j) => j !== k)));
  const head = (name: string, attributes: Record<string, string> = {}) =>
    h("th", { scope: "col", ...attributes }, name);
  const rows = counts.map((row, k) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, names[k] as string),
      ...row.map((count, j) => {
        const cell = h(
          "td",
          { class: j === k ? "diagonal" : count > 0 ? "mistaken" : "" },
          count === 0 ? "" : String(count),
        );
        // The more often it is mistaken, the more it stands out.
        if (j !== k && count > 0) cell.style.setProperty("--mistaken", `${Math.round(15 + (45 * count) / most)}%`);
        return cell;
      }),
      h(
        "td",
        { class: "recall" },
        row.some((count) => count > 0) ? `${Math.round(100 * (recall[k] as number))} %` : "–",
      ),
    ),
  );
  return h(
    "table",
    { class: "confusion" },
    h("caption", { class: "visually-hidden" }, "How often each class, by row, was read as which, by column"),
    h(
      "thead",
      {},
      h("tr", {}, head("is \\ read"), ...names.map((name) => head(name)), head("recall", { class: "recall" })),
    ),
    h("tbody", {}, ...rows),
  );
}
