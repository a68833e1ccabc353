import type { CsvPeek } from "../../files/csv";
import type { TableChoice } from "../training/table";
import { h } from "./dom";

const SHOWN_ROWS = 5;
/** The more different whole numbers there are to tell, the less likely it is that they are names of classes. */
const MOST_CLASSES = 20;
const NAME_LENGTH = 60;

export type ColumnChoice = Pick<TableChoice, "features" | "oneHot" | "label" | "numbers">;

/** The first rows of a file, which of its columns to learn from, and what to tell. */
export class TableColumns {
  readonly element: HTMLElement;
  private readonly boxes: HTMLInputElement[];
  private readonly label = h("select", { id: "csv-label" });
  private readonly kind = h(
    "select",
    { id: "csv-kind" },
    h("option", { value: "classes" }, "classes"),
    h("option", { value: "numbers" }, "numbers"),
  );

  constructor(
    private readonly peek: CsvPeek,
    changed: () => void,
  ) {
    const names = peek.columns.map((name) => (name.length > NAME_LENGTH ? `${name.slice(0, NAME_LENGTH)}…` : name));
    const lastText = names.findLastIndex((_, at) => this.isText(at));
    const proposed = lastText >= 0 ? lastText : names.length - 1;
    this.label.append(...names.map((name, at) => h("option", { value: at, selected: at === proposed }, name)));
    this.boxes = names.map((name, at) =>
      h("input", { type: "checkbox", checked: at !== proposed && !this.isText(at), "aria-label": `Use ${name}` }),
    );
    this.label.addEventListener("change", () => {
      this.settle();
      changed();
    });
    for (const control of [this.kind, ...this.boxes]) control.addEventListener("change", changed);
    this.settle();

    const heads = names.map((name, at) =>
      h(
        "th",
        { scope: "col" },
        h("label", {}, this.boxes[at] ?? "", ` ${name}`),
        h("span", { class: "sub kind" }, this.isText(at) ? "text" : "numbers"),
      ),
    );
    const rows = peek.rows
      .slice(0, SHOWN_ROWS)
      .map((row) => h("tr", {}, ...names.map((_, at) => h("td", {}, (row[at] ?? "").slice(0, 24)))));
    this.element = h(
      "div",
      {},
      h(
        "p",
        { class: "sub" },
        "Tick the columns to learn from; one of text becomes a column of 0 and 1 for each text.",
      ),
      h(
        "div",
        { class: "scroll", tabindex: 0, role: "region", "aria-label": "The first rows" },
        h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows)),
      ),
      h(
        "div",
        { class: "target" },
        h("label", { for: "csv-label" }, "Learn to tell"),
        this.label,
        h("label", { for: "csv-kind" }, "as"),
        this.kind,
      ),
    );
  }

  get choice(): ColumnChoice {
    const label = Number(this.label.value);
    const features = this.boxes.flatMap((box, at) => (box.checked && at !== label ? [at] : []));
    const oneHot = features.filter((at) => this.isText(at));
    return { features, oneHot, label, numbers: this.kind.value === "numbers" };
  }

  private isText(at: number): boolean {
    return (this.peek.numeric[at] ?? 0) < 0.5;
  }

  /** The column that is told is none to learn from; numbers of many values, or with decimals, are hardly names. */
  private settle(): void {
    const label = Number(this.label.value);
    this.boxes.forEach((box, at) => {
      box.disabled = at === label;
    });
    const values = this.peek.rows.flatMap((row) => row[label] || []);
    const fraction = values.some((text) => !Number.isInteger(Number(text.replace(",", "."))));
    const many = new Set(values).size > MOST_CLASSES;
    this.kind.value = !this.isText(label) && (many || fraction) ? "numbers" : "classes";
  }
}
