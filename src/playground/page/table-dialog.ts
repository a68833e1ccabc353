import type { CsvPeek, LeftOut } from "../../files/csv";
import type { Table } from "../training/data-set";
import type { ReadTable, TableChoice } from "../training/table";
import { byId, h } from "./dom";
import { TableColumns } from "./table-columns";
import { TableOptions } from "./table-options";

/** Larger files would not fit a page's memory several times over, as reading them needs. */
const MOST_BYTES = 100e6;
/** A file of more characters is read when it is to be used, not at every change. */
const MOST_LIVE = 4e6;
const MOST_NAMED = 8;

interface Reader {
  peekTable(text: string, choice: Pick<TableChoice, "header" | "delimiter">): Promise<CsvPeek>;
  readTable(text: string, choice: TableChoice): Promise<ReadTable>;
}

/** Asks how a file is to be read and what of it to use, says what is left out, and gives the table; null where a person changes their mind. */
export async function askTable(file: File, reader: Reader): Promise<Table | null> {
  const dialog = byId("csv", HTMLDialogElement);
  const body = byId("csv-body", HTMLDivElement);
  const closed = new Promise<null>((resolve) => dialog.addEventListener("close", () => resolve(null), { once: true }));
  const cancel = h("button", { type: "button", id: "csv-cancel", click: () => dialog.close() }, "Cancel");
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
    const form = new TableForm(await file.text(), reader, cancel);
    body.replaceChildren(h("p", { class: "sub" }, file.name), form.element);
    form.begin();
    return await Promise.race([form.chosen, closed]);
  } catch (error) {
    refuse(messageOf(error));
    return await closed;
  } finally {
    dialog.close();
  }
}

class TableForm {
  readonly element: HTMLElement;
  readonly chosen: Promise<Table>;
  private resolve: (table: Table) => void = () => {};
  private columns: TableColumns | null = null;
  private readonly place = h("div");
  private readonly said = h("div", { role: "status", class: "said" });
  private readonly use = h(
    "button",
    { type: "button", class: "primary", id: "csv-use", disabled: true },
    "Train on it",
  );
  private readonly leaveOut = h("button", { type: "button", id: "csv-leave-out", hidden: true }, "Leave out such rows");
  private readonly options = new TableOptions((columns) => void (columns ? this.begin() : this.check()));
  /** Counts what was asked of the reader: an answer that comes after another question is none. */
  private turn = 0;
  private read: ReadTable | null = null;

  constructor(
    private readonly text: string,
    private readonly reader: Reader,
    cancel: HTMLButtonElement,
  ) {
    this.chosen = new Promise((resolve) => {
      this.resolve = resolve;
    });
    this.use.addEventListener("click", () => void this.take());
    this.leaveOut.addEventListener("click", () => {
      this.options.leaveOutUnreadable();
      void this.check(true);
    });
    this.element = h(
      "div",
      { class: "table-form" },
      this.options.element,
      this.place,
      this.said,
      h("div", { class: "actions" }, this.use, this.leaveOut, cancel),
    );
  }

  /** Looks at the beginning of the file anew. */
  async begin(): Promise<void> {
    const turn = ++this.turn;
    const { header, delimiter } = this.options.choice;
    try {
      const peek = await this.reader.peekTable(this.text, { header, delimiter });
      if (turn !== this.turn) return;
      this.columns = new TableColumns(peek, () => void this.check());
      this.place.replaceChildren(this.columns.element);
      this.use.disabled = false;
      if (!this.element.contains(document.activeElement)) this.use.focus();
      await this.check();
    } catch (error) {
      if (turn !== this.turn) return;
      this.columns = null;
      this.place.replaceChildren();
      this.use.disabled = true;
      this.refuse(error);
    }
  }

  private async take(): Promise<void> {
    const read = this.read ?? (await this.check(true));
    if (read) this.resolve(read.table);
  }

  /** Reads the file as it is to be read now, and says what comes of it; a large one only where it is `wanted`. */
  private async check(wanted = false): Promise<ReadTable | null> {
    const turn = ++this.turn;
    this.read = null;
    this.leaveOut.hidden = true;
    if (!this.columns) return null;
    const columns = this.columns.choice;
    if (columns.features.length === 0) {
      this.refuse(new Error("Tick at least one column to learn from."));
      return null;
    }
    if (!wanted && this.text.length > MOST_LIVE) {
      const size = Math.round(this.text.length / 1e6);
      this.said.replaceChildren(h("p", { class: "sub" }, `A file of ${size} MB: it is read when you train on it.`));
      return null;
    }
    this.said.setAttribute("aria-busy", "true");
    if (wanted) this.said.replaceChildren(h("p", { class: "sub" }, "Reading…"));
    try {
      const read = await this.reader.readTable(this.text, { ...this.options.choice, ...columns });
      if (turn !== this.turn) return null;
      this.read = read;
      this.said.replaceChildren(...summary(read));
      return read;
    } catch (error) {
      if (turn === this.turn) this.refuse(error);
      return null;
    } finally {
      if (turn === this.turn) this.said.removeAttribute("aria-busy");
    }
  }

  private refuse(error: unknown): void {
    const message = messageOf(error);
    this.said.replaceChildren(h("p", { class: "bad", role: "alert" }, message));
    this.leaveOut.hidden = !/^Row \d/.test(message) || this.columns === null;
  }
}

/** What is used, and what is not and why. */
function summary({ table: { x, y, columns, classes, target }, leftOut }: ReadTable): HTMLElement[] {
  const rows = count(y.length, "row");
  const told = target === null ? `${classes.length} classes: ${classes.join(", ")}` : `numbers of ${target}`;
  const used = `${rows} of ${count(x.length / y.length, "column")} to learn from (${columns.join(", ")}); ${told}.`;
  const lines = notUsed(leftOut).map((line) => h("li", {}, line));
  const list = lines.length > 0 ? [h("ul", { class: "left-out" }, ...lines)] : [];
  return [h("p", { class: "used" }, used), ...list];
}

function notUsed({ droppedRows, ignoredColumns, filled }: LeftOut): string[] {
  const more = droppedRows.length - MOST_NAMED;
  return [
    ...droppedRows.slice(0, MOST_NAMED).map(({ row, why }) => `Left out: row ${row}: ${why.split("; ")[0]}`),
    ...(more > 0 ? [`and ${count(more, "more row")}`] : []),
    ...ignoredColumns.map(({ column, why }) => `Left out: ${column} ${why}`),
    ...filled.map((each) => `Filled: ${count(each.count, "missing field")} of ${each.column} with ${each.value}`),
  ];
}

function count(whole: number, what: string): string {
  return `${whole.toLocaleString("en")} ${what}${whole === 1 ? "" : "s"}`;
}

/** Of the reader's errors without the name of their part, and with what can be chosen here for what could be in code. */
function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const said = message
    .replace(/^csv: /, "")
    .replace(/ Else give missing: .*$/, " Or choose above what becomes of a missing field.")
    .replace(/ The decimal sign is .*$/, " Or choose another decimal sign above.");
  return said.charAt(0).toUpperCase() + said.slice(1);
}
