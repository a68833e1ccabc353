import type { Table } from "../training/data-set";
import type { ReadTable, TableChoice, TableFacts } from "../training/table";
import { byId, h } from "./dom";

/** Larger files would not fit a page's memory several times over, as reading them needs. */
const MOST_BYTES = 100e6;

interface Reader {
  inspectTable(text: string): Promise<TableFacts>;
  readTable(text: string, choice: TableChoice): Promise<ReadTable>;
}

/** Asks which columns of a file to use, names its bad rows, and gives the table; null where a person changes their mind. */
export async function askTable(file: File, reader: Reader): Promise<Table | null> {
  const dialog = byId("csv", HTMLDialogElement);
  const body = byId("csv-body", HTMLDivElement);
  const closed = new Promise<null>((resolve) => dialog.addEventListener("close", () => resolve(null), { once: true }));
  const cancel = h("button", { type: "button", click: () => dialog.close() }, "Cancel");
  const refuse = (message: string) => {
    body.replaceChildren(h("p", { class: "bad", role: "alert" }, message), h("div", { class: "actions" }, cancel));
  };
  body.replaceChildren(h("p", { class: "sub", role: "status" }, `Reading ${file.name}…`));
  dialog.showModal();
  try {
    if (file.size > MOST_BYTES) {
      const size = Math.round(file.size / 1e6);
      refuse(`${file.name} has ${size} MB; at most ${MOST_BYTES / 1e6} MB can be used here. Take a part of its rows.`);
      return await closed;
    }
    const text = await file.text();
    const facts = await reader.inspectTable(text);
    const chosen = choose(file.name, facts, body, cancel, (choice) => reader.readTable(text, choice));
    return await Promise.race([chosen, closed]);
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error));
    return await closed;
  } finally {
    dialog.close();
  }
}

function choose(
  name: string,
  { header, columns, preview, numeric, few, rows }: TableFacts,
  body: HTMLElement,
  cancel: HTMLButtonElement,
  read: (choice: TableChoice) => Promise<ReadTable>,
): Promise<Table> {
  const text = numeric.lastIndexOf(false);
  const firstLabel = text >= 0 ? text : columns.length - 1;
  const label = h("select", { id: "csv-label" });
  columns.forEach((column, at) => {
    label.append(h("option", { value: at, selected: at === firstLabel }, column));
  });
  const boxes = columns.map((column, at) => {
    const box = h("input", {
      type: "checkbox",
      checked: at !== firstLabel && (numeric[at] ?? false),
      "aria-label": `Use ${column}`,
    });
    return box;
  });
  const kind = h(
    "select",
    { id: "csv-kind" },
    h("option", { value: "classes" }, "classes"),
    h("option", { value: "numbers" }, "numbers"),
  );
  /** Numbers that have many values, or none that is whole, are hardly names. */
  const propose = () => {
    const chosen = Number(label.value);
    const fraction = preview.some((row) => !Number.isInteger(Number(row[chosen])));
    kind.value = numeric[chosen] && (!few[chosen] || fraction) ? "numbers" : "classes";
  };
  const settle = () => {
    boxes.forEach((box, at) => {
      box.disabled = at === Number(label.value);
    });
  };
  label.addEventListener("change", () => {
    settle();
    propose();
  });
  settle();
  propose();

  const table = h(
    "table",
    {},
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ...columns.map((column, at) => h("th", { scope: "col" }, h("label", {}, boxes[at] ?? "", ` ${column}`))),
      ),
    ),
    h(
      "tbody",
      {},
      ...preview.map((row) => h("tr", {}, ...columns.map((_, at) => h("td", {}, (row[at] ?? "").slice(0, 24))))),
    ),
  );
  const said = h("div", { role: "status" });
  const use = h("button", { type: "button", class: "primary", id: "csv-use" }, "Train on it");
  const leaveOut = h("button", { type: "button", id: "csv-leave-out", hidden: true }, "Leave them out");
  body.replaceChildren(
    h("p", { class: "sub" }, `${name}: ${rows.toLocaleString("en")} rows. Tick the columns to learn from.`),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "The first rows" }, table),
    h(
      "div",
      { class: "target" },
      h("label", { for: "csv-label" }, "Learn to tell"),
      label,
      h("label", { for: "csv-kind" }, "as"),
      kind,
    ),
    said,
    h("p", {}, "\u00a0"),
    h("div", { class: "actions" }, use, leaveOut, cancel),
  );
  use.focus();

  return new Promise((resolve) => {
    const attempt = async (leaveOutBad: boolean) => {
      const chosen = Number(label.value);
      const features = boxes.flatMap((box, at) => (box.checked && at !== chosen ? [at] : []));
      if (features.length === 0)
        return said.replaceChildren(h("p", { class: "bad" }, "Tick at least one column to learn from."));
      use.disabled = true;
      try {
        const { table, bad, badRows } = await read({
          header,
          label: chosen,
          numbers: kind.value === "numbers",
          features,
          leaveOutBad,
        });
        if (table) return resolve(table);
        const more = badRows > bad.length ? [h("li", {}, `and ${badRows - bad.length} more`)] : [];
        said.replaceChildren(
          h("p", { class: "bad" }, `${badRows} ${badRows === 1 ? "row" : "rows"} cannot be used:`),
          h("ul", { class: "bad-rows" }, ...bad.map(({ row, what }) => h("li", {}, `row ${row}: ${what}`)), ...more),
        );
        leaveOut.hidden = false;
      } catch (error) {
        said.replaceChildren(h("p", { class: "bad" }, error instanceof Error ? error.message : String(error)));
      } finally {
        use.disabled = false;
      }
    };
    use.addEventListener("click", () => void attempt(false));
    leaveOut.addEventListener("click", () => void attempt(true));
  });
}
