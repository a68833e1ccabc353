import type { TableChoice } from "../../src/playground/training/table";

/** How a table is read where nobody has chosen otherwise. */
export const AS_IT_IS: Omit<TableChoice, "features" | "label" | "numbers"> = {
  header: null,
  delimiter: null,
  decimal: null,
  missing: "refuse",
  missingValues: null,
  unreadable: "refuse",
  oneHot: [],
};
