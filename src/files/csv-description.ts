import { isRecord, shown } from "../util/checks";
import { FormatError } from "../util/errors";

/** What is done where a field is missing. */
export type Missing = "refuse" | "drop" | "mean" | "mostFrequent";
export const MISSING: readonly Missing[] = ["refuse", "drop", "mean", "mostFrequent"];

/** Where a column stands in the file that it was learnt from, counted from 0, and its name there. */
export interface DescribedColumn {
  name: string;
  at: number;
}

/** A column of numbers, and what stands for one that is missing. */
export interface NumberFeature extends DescribedColumn {
  kind: "number";
  fill?: number;
}

/** A column of text, which becomes a column of 0 and 1 for each of its categories; what stands for one that is missing. */
export interface CategoryFeature extends DescribedColumn {
  kind: "categories";
  categories: string[];
  fill?: string;
}

/** What one column of the table becomes. */
export type Feature = NumberFeature | CategoryFeature;

/**
 * How a table became numbers, so that later rows become the same: plain data, for JSON. `readCsv` learns one, `applyCsv` applies it, and
 * `trainer.save({ metadata: { csv: JSON.stringify(description) } })` keeps it with the weights.
 */
export interface CsvDescription {
  format: "wgrad csv 1";
  delimiter: string;
  /** Null where no number of the file had either. */
  decimal: "." | "," | null;
  header: boolean;
  /** Columns of the file. */
  width: number;
  missing: Missing;
  missingValues: string[];
  features: Feature[];
  /** The column of classes and their names in order, or the columns of numbers, or null. */
  target:
    | { kind: "classes"; column: DescribedColumn; classes: string[] }
    | { kind: "numbers"; columns: DescribedColumn[] }
    | null;
}

/** Names of the columns of x: of a category "colour=red". */
export function featureNames(features: readonly Feature[]): string[] {
  return features.flatMap((feature) =>
    feature.kind === "number" ? [feature.name] : feature.categories.map((category) => `${feature.name}=${category}`),
  );
}

/** Throws FormatError for what is no description, such as one from a file that another program wrote. */
export function checkDescription(part: string, given: unknown): asserts given is CsvDescription {
  const wrong = (what: string): never => {
    throw new FormatError(`${part}: the description ${what}; it must be as readCsv() gave it.`);
  };
  if (!isRecord(given)) return wrong(`is ${shown(given)}`);
  const { format, delimiter, decimal, header, width, missing, missingValues, features, target } =
    given as Partial<CsvDescription>;
  if (format !== "wgrad csv 1") wrong(`has the format ${shown(format)}`);
  if (typeof delimiter !== "string" || [...delimiter].length !== 1) wrong(`has the delimiter ${shown(delimiter)}`);
  if (decimal !== "." && decimal !== "," && decimal !== null) wrong(`has the decimal ${shown(decimal)}`);
  if (typeof header !== "boolean") wrong(`has the header ${shown(header)}`);
  if (!isPlace(width)) wrong(`has the width ${shown(width)}`);
  if (!MISSING.includes(missing as Missing)) wrong(`has ${shown(missing)} for missing values`);
  if (!isTexts(missingValues)) wrong(`has missingValues ${shown(missingValues)}`);
  if (!Array.isArray(features) || features.length === 0) return wrong(`has features ${shown(features)}`);
  const column = (each: unknown) => {
    const fits = isRecord(each) && "name" in each && typeof each.name === "string" && "at" in each && isPlace(each.at);
    if (!fits || (each.at as number) >= (width as number)) wrong("has a column without a name and a place");
  };
  for (const feature of features as Partial<Feature>[]) {
    column(feature);
    if (feature.kind === "number") {
      if (feature.fill !== undefined && !Number.isFinite(feature.fill)) wrong(`fills with ${shown(feature.fill)}`);
    } else if (feature.kind === "categories") {
      const { categories, fill } = feature;
      if (!isTexts(categories) || categories.length === 0) return wrong(`has categories ${shown(categories)}`);
      if (fill !== undefined && !categories.includes(fill)) wrong(`fills with ${shown(fill)}`);
    } else wrong(`has a column of the kind ${shown(feature.kind)}`);
  }
  if (target === null) return;
  if (!isRecord(target)) return wrong(`has the target ${shown(target)}`);
  if (target.kind === "classes") {
    column(target.column);
    if (!isTexts(target.classes) || target.classes.length === 0) wrong(`has classes ${shown(target.classes)}`);
  } else if (target.kind === "numbers" && Array.isArray(target.columns) && target.columns.length > 0) {
    target.columns.forEach(column);
  } else wrong("has a target that is neither classes nor numbers");
}

function isPlace(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTexts(value: unknown): value is string[] {
  return (
    Array.isArray(value) && value.every((text) => typeof text === "string") && new Set(value).size === value.length
  );
}
