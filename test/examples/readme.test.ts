import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { readSafetensors, type Trainer } from "../../src/index";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Inside the project, so that "wgrad" is found as it is for the examples. */
const folder = join(root, "out", "readme");
const readme = readFileSync(join(root, "README.md"), "utf8");
const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code as string);

beforeAll(() => mkdirSync(folder, { recursive: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

/** Runs a block as it is printed, with a line behind it that hands over `names`; gives what it logged, too. */
async function run(block: number, names: string): Promise<{ module: Record<string, unknown>; said: unknown[][] }> {
  const said: unknown[][] = [];
  vi.spyOn(console, "log").mockImplementation((...words: unknown[]) => said.push(words));
  const path = join(folder, `block-${block}.ts`);
  writeFileSync(path, `${blocks[block]}\nexport { ${names} };\n`);
  return { module: await import(/* @vite-ignore */ path), said };
}

test("the quickstart: 15 lines at most from import to a trained, saved network", async () => {
  const lines = (blocks[0] as string).split("\n").filter((line) => line.trim() !== "");
  expect(lines.length).toBeLessThanOrEqual(15);
  const { module, said } = await run(0, "file");
  const [[evaluated], [probabilities]] = said as [[{ loss: number; accuracy: number }], [Float32Array]];
  expect(evaluated.accuracy).toBeGreaterThan(0.95);
  expect((probabilities[0] as number) + (probabilities[1] as number)).toBeCloseTo(1, 6);
  const saved = Object.keys(readSafetensors(module.file as Uint8Array)).sort();
  expect(saved).toEqual(["0.bias", "0.weight", "2.bias", "2.weight"]);
});

test("a head on a network that PyTorch exported", async () => {
  const file = readFileSync(join(root, "test/golden/torch-network-resnet18.onnx"));
  vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response(file));
  const { module, said } = await run(1, "net");
  expect(said[0]?.[0]).toMatch(/^layer4\.1\.conv2 +Conv +\[rows, 32, 1, 1\] +9216$/m);
  (module.net as Trainer).dispose();
});

test("a training step of your own", async () => {
  const { module, said } = await run(2, "losses, trained");
  const losses = module.losses as Float32Array;
  expect(String(said[0]?.[0])).toContain("all 3 results are within their bounds");
  expect(losses).toHaveLength(500);
  expect(losses[499]).toBeLessThan((losses[0] as number) * 1e-6);
  expect(module.trained).toHaveLength(100_000);
});

test("there is no other code", () => expect(blocks).toHaveLength(3));
