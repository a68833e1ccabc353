/**
 * Values by names that a user chose. Without a prototype, so that "__proto__" is a key as any other, and nothing is found
 * under "constructor" that nobody put there. For what is looked up by name; what a user receives is an object as others are.
 */
export function byName<T>(entries: Iterable<readonly [string, T]>): Record<string, T> {
  const values: Record<string, T> = Object.create(null);
  for (const [name, value] of entries) values[name] = value;
  return values;
}
