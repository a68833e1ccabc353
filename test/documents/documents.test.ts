import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type Device, type History, readSafetensors, type Trainer } from "../../src/index";
import { printed, root } from "./programs";

/** Inside the project, so that "wgrad" is found as it is for the examples. */
const folder = join(root, "out", "documents");

beforeAll(() => mkdirSync(folder, { recursive: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

const penguins = [
  "species,island,mass,bill",
  ...Array.from({ length: 60 }, (_, i) => {
    const [species, island, mass, bill] = [
      ["Adelie", "Torgersen", 3700, 39],
      ["Gentoo", "Biscoe", 5100, 47],
      ["Chinstrap", "Dream", 3800, 49],
    ][i % 3] as [string, string, number, number];
    return `${species},${island},${i === 7 ? "" : mass + 20 * Math.sin(i)},${bill + Math.cos(i)}`;
  }),
].join("\n");

/** What the documents' programs fetch. */
const FILES: Record<string, () => Response> = {
  "penguins.csv": () => new Response(penguins),
  "resnet18.onnx": () => new Response(readFileSync(join(root, "test/golden/torch-network-resnet18.onnx"))),
};

interface Outcome {
  /** What the program logged, as text: a line for each call. */
  readonly said: string;
  /** Each call's words as they are. */
  readonly words: readonly (readonly unknown[])[];
  /** Its own names that were asked for. */
  // biome-ignore lint/suspicious/noExplicitAny: names of a program that no compiler has seen here
  readonly own: Record<string, any>;
}

/** Runs a program as it is printed, with a line behind it that hands over `names`. */
async function run(name: string, names = ""): Promise<Outcome> {
  const program = printed.find((each) => each.name === name);
  if (!program) throw new Error(`internal: the documents print no program "${name}"`);
  const words: unknown[][] = [];
  vi.spyOn(console, "log").mockImplementation((...line: unknown[]) => words.push(line));
  vi.spyOn(globalThis, "fetch").mockImplementation(async (file) => {
    const answer = FILES[String(file)];
    if (!answer) throw new Error(`the program ${name} fetches ${file}, which the test does not have`);
    return answer();
  });
  const path = join(folder, `${name.replace(" ", "-")}.ts`);
  writeFileSync(path, `${program.code}\nexport { ${names} };\n`);
  const own = await import(/* @vite-ignore */ path);
  return { said: words.map((line) => line.map(String).join(" ")).join("\n"), words, own };
}

/** A test for each program that is printed: what it must come to. */
const PROGRAMS: Record<string, () => Promise<void>> = {
  "README 1": async () => {
    const lines = printed[0]?.code.split("\n").filter((line) => line.trim() !== "") ?? [];
    expect(lines.length, "from import to a trained, saved network").toBeLessThanOrEqual(15);
    const { own, words } = await run("README 1", "file");
    const [[evaluated], [probabilities]] = words as [[{ loss: number; accuracy: number }], [Float32Array]];
    expect(evaluated.accuracy).toBeGreaterThan(0.95);
    expect((probabilities[0] as number) + (probabilities[1] as number)).toBeCloseTo(1, 6);
    const saved = Object.keys(readSafetensors(own.file as Uint8Array)).sort();
    expect(saved).toEqual(["0.bias", "0.weight", "2.bias", "2.weight"]);
  },
  "first-network 1": async () => {
    const { said, own } = await run("first-network 1", "history, accuracy, probabilities, device");
    expect(own.accuracy).toBeGreaterThan(0.93);
    expect((own.history as History).validationLoss?.length).toBeGreaterThan(20);
    expect(own.probabilities).toHaveLength(4);
    expect(said).toMatch(/^true \d+ bytes$/m);
    (own.device as Device).close();
  },
  "layers 1": async () => {
    const { said } = await run("layers 1");
    expect(said).toMatch(/scale/);
    expect(Number(/^(\d+) of 200/m.exec(said)?.[1])).toBeGreaterThan(190);
  },
  "own-step 1": async () => {
    const { own, words } = await run("own-step 1", "losses, trained, faster, ys");
    const losses = own.losses as Float32Array;
    expect(String(words[0]?.[0])).toContain("all 3 results are within their bounds");
    expect(losses).toHaveLength(500);
    expect(losses[499]).toBeLessThan((losses[0] as number) * 1e-6);
    expect(own.trained).toHaveLength(100_000);
    expect(own.faster.at(-1)).toBeLessThan(own.faster[0] / 10);
    expect(own.ys.shape).toEqual([50, 1]);
  },
  "images 1": async () => {
    const { own, words } = await run("images 1", "accuracy, head");
    expect(own.accuracy).toBeGreaterThan(0.95);
    expect((words.at(-1) as [{ accuracy: number }])[0].accuracy).toBeGreaterThan(0.9);
    expect(Object.keys(await (own.head as Trainer).weights())).toContain("6.weight");
  },
  "sequences 1": async () => {
    const { own } = await run("sequences 1", "written, text");
    expect(own.text).toContain(own.written);
  },
  "sequences 2": async () => {
    const { own } = await run("sequences 2", "loss");
    expect(Math.sqrt(own.loss)).toBeLessThan(0.05);
  },
  "many 1": async () => {
    const { words } = await run("many 1");
    const accuracies = words.slice(0, 6).map(([, accuracy]) => accuracy as number);
    expect(Math.max(...accuracies)).toBeGreaterThan(0.9);
    expect(accuracies[0]).toBeLessThan(Math.max(...accuracies));
    expect(words[6]).toEqual([true]);
    const slopes = [...(words[7] as [Float32Array])[0]];
    for (const [i, slope] of [2, -3, 5].entries()) expect(slopes[i]).toBeCloseTo(slope, 3);
  },
  "many 2": async () => {
    const { words, own } = await run("many 2", "results");
    const [best] = words[0] as [Record<string, number>];
    expect(best.lr).toBeGreaterThan(0.003);
    expect(String(words[1]?.[0]).split("\n")).toHaveLength(13);
    expect(own.results.trials.filter(({ epochs }: { epochs: number }) => epochs === 20)).toHaveLength(1);
  },
  "files 1": async () => {
    const { words, own } = await run("files 1", "table");
    expect(own.table.columns).toContain("island=Biscoe");
    const [classes, probabilities] = words.find(([, values]) => values instanceof Float32Array) as [
      string[],
      Float32Array,
    ];
    expect(probabilities[classes.indexOf("Gentoo")]).toBeGreaterThan(0.9);
    expect(String(words.at(-1)?.[0])).toMatch(/^\d+ bytes$/);
  },
  "files 2": async () => {
    const { said, own } = await run("files 2", "net");
    expect(said).toMatch(/^layer4\.1\.conv2 +Conv +\[rows, 32, 1, 1\] +9216$/m);
    (own.net as Trainer).dispose();
  },
  "files 3": async () => {
    const { words } = await run("files 3");
    expect([...(words[0] as [Float32Array])[0]]).toEqual([1, 2, 3, 4]);
  },
  "pytorch 1": async () => {
    const { said, own } = await run("pytorch 1", "net");
    for (const name of ["train.py", "checkpoint.safetensors", "data.safetensors"])
      expect(said).toMatch(new RegExp(`^${name}: \\d{4,} bytes$`, "m"));
    expect((own.net as Trainer).steps).toBe(320);
  },
  "backends 1": async () => {
    const { words } = await run("backends 1");
    expect(words[0]).toEqual(["cpu", expect.stringContaining("CPU, WebAssembly")]);
    expect(String(words[1]?.[0])).toContain("route: cpu, wasm simd, float32");
  },
  "same-result 1": async () => {
    const { said } = await run("same-result 1");
    expect(said, "the report is as it is printed").toBe(shown("docs/same-result.md", "parity:"));
  },
  "compiler 1": async () => {
    const { said } = await run("compiler 1");
    for (const path of ["docs/compiler.md", "CONTRIBUTING.md"])
      for (const line of shown(path, "plan ").split("\n"))
        if (line.trim() !== "…") expect(said.split("\n"), `the plan is as ${path} prints it`).toContain(line);
  },
};

/** The indented block of a document that begins so, without what it is indented by. */
function shown(path: string, beginning: string): string {
  const text = readFileSync(join(root, path), "utf8");
  const block = text.split("\n\n").find((each) => each.startsWith(`    ${beginning}`));
  return (block ?? "").replace(/^ {4}/gm, "").trimEnd();
}

test.each(Object.entries(PROGRAMS))("the program %s, as it is printed", (_, check) => check());

test("there is no other code in the documents", () => {
  expect(printed.map(({ name }) => name).sort()).toEqual(Object.keys(PROGRAMS).sort());
});
