import { readSafetensors, safetensorsMetadata } from "../../src/files/safetensors";
import type { Shape } from "../../src/index";

type Numbers = Float32Array | Float64Array | Int32Array;

/** A golden run: test/golden/<name>.safetensors, in Node and in the browser. */
export interface Golden {
  readonly name: string;
  /** The whole file. */
  readonly file: Uint8Array;
  /** One tensor's values in the type that they are stored in. Throws RangeError for a name that is not there. */
  values(key: string): Numbers;
  shape(key: string): Shape;
  /** Tensors named `<prefix>.<rest>`, by the rest. */
  group(prefix: string): Record<string, Numbers>;
  readonly metadata: Readonly<Record<string, string>>;
}

export async function readGolden(name: string): Promise<Golden> {
  const file = await bytes(new URL(/* @vite-ignore */ `../golden/${name}.safetensors`, import.meta.url));
  const tensors = readSafetensors(file);
  const tensor = (key: string) => {
    const found = tensors[key];
    if (found === undefined) throw new RangeError(`${name} has no "${key}"; it has ${Object.keys(tensors).join(", ")}`);
    return found;
  };
  return {
    name,
    file,
    values: (key) => tensor(key).values,
    shape: (key) => tensor(key).shape,
    group(prefix) {
      const under = Object.entries(tensors).filter(([key]) => key.startsWith(`${prefix}.`));
      return Object.fromEntries(under.map(([key, { values }]) => [key.slice(prefix.length + 1), values]));
    },
    metadata: safetensorsMetadata(file),
  };
}

/** A file of the project, in Node and in the browser. */
export async function bytes(url: URL): Promise<Uint8Array> {
  if (url.protocol === "file:") {
    const { readFile } = await import("node:fs/promises");
    return readFile(url);
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}
