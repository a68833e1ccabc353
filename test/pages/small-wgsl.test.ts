import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { smaller } from "../../scripts/small-wgsl.mjs";
import { specialise } from "../../src/kernels/specialise";

const folder = fileURLToPath(new URL("../../shaders/", import.meta.url));
const shaders = readdirSync(folder).filter((name) => name.endsWith(".wgsl"));

/** Everything that `specialise` can replace, replaced. */
function specialised(source: string, names: { constants: string[]; blocks: string[] }): string {
  return specialise(source, {
    constants: Object.fromEntries(names.constants.map((name, index) => [name, 100 + index])),
    blocks: Object.fromEntries(names.blocks.map((name) => [name, `  // block\n  filled_${name}();\n`])),
  });
}

const named = (source: string, pattern: RegExp) => [...source.matchAll(pattern)].map((match) => match[1] ?? "");
const plain = (source: string) =>
  source
    .replace(/\/\/.*$/gm, "")
    .replace(/\s+/g, " ")
    .trim();

test("there are shaders to make small", () => expect(shaders.length).toBeGreaterThan(0));

test.each(shaders)("%s made small says the same, before and after it is specialised, in fewer characters", (name) => {
  const source = readFileSync(`${folder}${name}`, "utf8");
  const small = smaller(source);
  const names = {
    constants: named(source, /^ *const (\w+) = .*\/\/ spec$/gm),
    blocks: named(source, /^ *\/\/ spec begin (\w+)$/gm),
  };
  expect(small.length).toBeLessThan(source.length);
  expect(plain(small)).toBe(plain(source));
  expect(plain(specialised(small, names))).toBe(plain(specialised(source, names)));
});
