import type { TableChoice } from "../training/table";
import { h } from "./dom";

/** How a file is to be read, apart from its columns. */
export type ReadingOptions = Pick<
  TableChoice,
  "header" | "delimiter" | "decimal" | "missing" | "missingValues" | "unreadable"
>;

/** The fields for how a file is read; `changed` hears of each change, and whether the columns may be others by it. */
export class TableOptions {
  readonly element: HTMLElement;
  private readonly delimiter = select("csv-delimiter", [
    ["", "guessed"],
    [",", "comma"],
    [";", "semicolon"],
    ["\t", "tab"],
    ["|", "bar"],
  ]);
  private readonly decimal = select("csv-decimal", [
    ["", "guessed"],
    [".", "point"],
    [",", "comma"],
  ]);
  private readonly header = select("csv-header", [
    ["", "guessed"],
    ["yes", "names the columns"],
    ["no", "is data"],
  ]);
  private readonly missing = select("csv-missing", [
    ["refuse", "is refused"],
    ["drop", "leaves its row out"],
    ["mean", "gets the column's mean"],
    ["mostFrequent", "gets the most frequent"],
  ]);
  private readonly values = h("input", { type: "text", id: "csv-values", placeholder: "NA, NaN, null, ?", size: 12 });
  private readonly unreadable = select("csv-unreadable", [
    ["refuse", "is refused"],
    ["drop", "is left out"],
  ]);

  constructor(changed: (columns: boolean) => void) {
    const field = (name: string, control: HTMLSelectElement | HTMLInputElement, columns: boolean) => {
      control.addEventListener("change", () => changed(columns));
      return h("div", { class: "field" }, h("label", { for: control.id }, name), control);
    };
    this.element = h(
      "div",
      { class: "fields reading" },
      field("Between columns", this.delimiter, true),
      field("Decimal sign", this.decimal, false),
      field("The first row", this.header, true),
      field("A missing field", this.missing, false),
      field("Missing is also", this.values, false),
      field("A row that does not read", this.unreadable, false),
    );
  }

  get choice(): ReadingOptions {
    const missing = (["drop", "mean", "mostFrequent"] as const).find((each) => each === this.missing.value);
    const values = this.values.value.split(",").flatMap((text) => text.trim() || []);
    return {
      delimiter: this.delimiter.value || null,
      decimal: ([".", ","] as const).find((each) => each === this.decimal.value) ?? null,
      header: this.header.value === "" ? null : this.header.value === "yes",
      missing: missing ?? "refuse",
      missingValues: values.length > 0 ? [...new Set(values)] : null,
      unreadable: this.unreadable.value === "drop" ? "drop" : "refuse",
    };
  }

  leaveOutUnreadable(): void {
    this.unreadable.value = "drop";
  }
}

function select(id: string, options: readonly (readonly [value: string, name: string])[]): HTMLSelectElement {
  return h("select", { id }, ...options.map(([value, name]) => h("option", { value }, name)));
}
