import type { TorchArgument } from "../files/torch-modules";

/** A value as Python writes it. */
export function literal(value: TorchArgument | null): string {
  if (value === null) return "None";
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : `float("${value < 0 ? "-" : ""}inf")`;
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return JSON.stringify(value);
  if ("python" in value) return value.python;
  const all = value.map((each) => literal(each)).join(", ");
  return value.length === 1 ? `(${all},)` : `(${all})`;
}

/** Names with a value each. */
export function dictionary(entries: Readonly<Record<string, TorchArgument>>): string {
  return `{${Object.entries(entries)
    .map(([name, value]) => `${literal(name)}: ${literal(value)}`)
    .join(", ")}}`;
}

/** A set of names. */
export function names(of: readonly string[]): string {
  return of.length === 0 ? "set()" : `{${of.map((name) => literal(name)).join(", ")}}`;
}
