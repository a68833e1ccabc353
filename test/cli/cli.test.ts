import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-web";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Interrupted } from "../../src/cli/fail";
import { main } from "../../src/cli/main";
import type { Settings } from "../../src/cli/settings";
import { train } from "../../src/cli/train";
import { randomState, safetensorsMetadata, VERSION } from "../../src/index";

const folder = mkdtempSync(join(tmpdir(), "wgrad-cli-"));
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a command says, and its exit code. */
async function wgrad(...argv: string[]) {
  const said = { out: "", error: "" };
  const stream = (to: "out" | "error") => ({ isTTY: false, write: (text: string) => (said[to] += text) }) as never;
  const code = await main(argv, { out: stream("out"), error: stream("error") });
  return { code, ...said };
}

const flowers = ["size;colour;noise;kind"];
const prices = ["size,rooms,price"];
beforeAll(() => {
  const { randn } = randomState(1);
  const noise = randn(120);
  for (let i = 0; i < 60; i++) {
    const kind = i % 3;
    const size = kind * 2 + 0.15 * (noise[2 * i] as number);
    const colour = kind === 0 ? "red" : i % 2 ? "blue" : "white";
    flowers.push(
      `${String(size).replace(".", ",")};${i === 7 ? "" : colour};${noise[2 * i + 1]};${["lily", "rose", "tulip"][kind]}`,
    );
    prices.push(`${i},${i % 4},${1000 * i + 5000 * (i % 4) + 250_000}`);
  }
  // The third column has points, the first commas.
  writeFileSync(path("flowers.csv"), flowers.map((line) => line.replaceAll(".", ",")).join("\n"));
  writeFileSync(path("prices.csv"), prices.join("\n"));
});

const SETTINGS: Settings = {
  target: "kind",
  table: { missing: "drop", oneHot: true },
  hidden: [4],
  activation: "relu",
  epochs: 200,
  lr: 0.01,
  batch: 32,
  seed: 3,
  heldBack: 0.2,
};

describe("train", () => {
  test("writes a network, an ONNX file that takes raw rows, and a report; predict takes the network", async () => {
    const out = path("flowers");
    const flags = ["--target", "kind", "--missing", "mostFrequent", "--epochs", "40", "--hidden", "8", "--out", out];
    const { code, out: said, error } = await wgrad("train", path("flowers.csv"), ...flags);
    expect([code, error.split("\n").length]).toEqual([0, 11]); // ten lines of progress
    expect(said).toMatch(/^flowers\.csv: 60 rows, 5 columns for x, 3 classes\nfilled: 1 missing in colour with /);
    expect(said).toMatch(/held back 12 rows: accuracy 100\.0 %\nactual \\ predicted +lily +rose +tulip +precision/);

    const model = join(out, "model.safetensors");
    const predicted = await wgrad("predict", model, path("flowers.csv"));
    expect(predicted.error).toMatch(/^filled: 1 missing in colour/);
    const [head, ...rows] = predicted.out
      .trimEnd()
      .split("\n")
      .map((line) => line.split(";"));
    expect(head).toEqual(["size", "colour", "noise", "kind", "predicted", "p(lily)", "p(rose)", "p(tulip)"]);
    expect(rows.filter((row) => row[3] === row[4]).length).toBeGreaterThanOrEqual(58);

    ort.env.wasm.numThreads = 1;
    const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(join(out, "model.onnx"))));
    const raw = rows
      .filter((row) => row[1] !== "")
      .map((row) => {
        const number = (at: number) => Number(row[at]?.replace(",", "."));
        return [number(0), ...["blue", "red", "white"].map((colour) => Number(row[1] === colour)), number(2)];
      });
    const input = new ort.Tensor("float32", Float32Array.from(raw.flat()), [raw.length, 5]);
    const probabilities = (await session.run({ input })).output?.data as Float32Array;
    const wanted = rows
      .filter((row) => row[1] !== "")
      .flatMap((row) => row.slice(5).map((text) => Number(text.replace(",", "."))));
    expect(Math.max(...wanted.map((value, i) => Math.abs((probabilities[i] ?? Number.NaN) - value)))).toBeLessThan(
      1e-5,
    );
  });

  test("of a number says how far off it is, in the number's own unit, and its ONNX file gives that", async () => {
    const out = path("prices");
    const run = await wgrad("train", path("prices.csv"), "--target", "-1", "--epochs", "60", "--out", out);
    expect(run.out).toMatch(
      /held back 12 rows: root mean squared error \d+(\.\d+)?, mean absolute error \d+(\.\d+)?, R² 0\.9/,
    );
    const answer = join(out, "answer.csv");
    writeFileSync(path("new.csv"), "rooms,size\n2,30\n");
    expect(await wgrad("predict", join(out, "model.safetensors"), path("new.csv"), "--out", answer)).toMatchObject({
      code: 0,
      out: "",
    });
    const price = Number(/^rooms,size,predicted\n2,30,([\d.]+)\n$/.exec(readFileSync(answer, "utf8"))?.[1]);
    expect(Math.abs(price - 290_000)).toBeLessThan(10_000);
    const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(join(out, "model.onnx"))));
    const { output } = await session.run({ input: new ort.Tensor("float32", Float32Array.of(30, 2), [1, 2]) });
    expect(Math.abs((output?.data[0] as number) / price - 1)).toBeLessThan(1e-5);
  });

  test("stopped and taken up again it writes what it writes undisturbed, byte for byte", async () => {
    const said: string[] = [];
    const run = (out: string, from: Settings | { checkpoint: string }, stopAt: number) => {
      const stop = new AbortController();
      const progress = {
        start() {},
        stop() {},
        tell: (done: number) => void (done === stopAt && stop.abort(new Error("interrupted"))),
      };
      return train({
        file: path("flowers.csv"),
        out,
        device: "cpu",
        from,
        say: (line) => said.push(line),
        progress,
        signal: stop.signal,
      });
    };
    const [whole, cut] = [path("whole"), path("cut")];
    await run(whole, SETTINGS, -1);
    const stopped = await run(cut, SETTINGS, 20).catch((error) => error);
    expect(stopped).toBeInstanceOf(Interrupted);
    expect(stopped.message).toMatch(
      /^stopped after 4\d of 400 steps\. To go on:\n {2}npx wgrad train .*flowers\.csv --resume .*cut\/checkpoint\.safetensors --out /,
    );
    const checkpoint = join(cut, "checkpoint.safetensors");
    await run(cut, { checkpoint }, 70).catch(() => {});
    await run(cut, { checkpoint }, -1);
    for (const name of ["model.safetensors", "model.onnx", "report.html"])
      expect(readFileSync(join(cut, name)).equals(readFileSync(join(whole, name))), name).toBe(true);

    writeFileSync(path("other.csv"), flowers.slice(0, 50).join("\n"));
    expect(await wgrad("train", path("other.csv"), "--resume", checkpoint)).toMatchObject({
      code: 2,
      error: expect.stringContaining("is not what"),
    });
    expect(await wgrad("train", path("flowers.csv"), "--resume", checkpoint, "--lr", "1")).toMatchObject({
      code: 2,
      error: expect.stringContaining("leave out lr"),
    });
  });

  test("its report lets nothing run or load but itself, whatever the file is called and has in it", async () => {
    const file = path("<b>'&.csv");
    writeFileSync(
      file,
      "a,b\n1,<script>alert(1)</script>\n2,</script>\n".concat("1,<script>alert(1)</script>\n2,</script>\n".repeat(5)),
    );
    const { code } = await wgrad(
      "train",
      file,
      "--target",
      "b",
      "--as",
      "classes",
      "--epochs",
      "2",
      "--out",
      path("odd"),
    );
    expect(code).toBe(0);
    const html = readFileSync(path("odd/report.html"), "utf8");
    const scripts = [...html.matchAll(/<script>(.*?)<\/script>/gs)].map(([, code]) => code as string);
    const styles = [...html.matchAll(/<style>(.*?)<\/style>/gs)].map(([, code]) => code as string);
    const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
    expect([scripts.length, styles.length, html.match(/<script/g)?.length]).toEqual([1, 1, 2]);
    const policy = /content="(default-src[^"]*)"/.exec(html)?.[1];
    expect(policy).toBe(
      `default-src 'none'; script-src ${hash(scripts[0] as string)}; style-src ${hash(styles[0] as string)}; base-uri 'none'; form-action 'none'`,
    );
    expect(/<h1>(.*)<\/h1>/.exec(html)?.[1]).toBe("&lt;b&gt;&#39;&amp;.csv");
    expect(/<[^>]* (style|src|href|on\w+)=/.test(html.replace(/<(script|style)>.*?<\/\1>/gs, ""))).toBe(false);
  });
});

describe("exit codes and errors", () => {
  test.each<[string, string[], number, string]>([
    ["no command", [], 2, "Usage: wgrad"],
    ["an unknown command", ["trian"], 2, "error: unknown command 'trian'"],
    ["an unknown option", ["verify", "--fast"], 2, "error: unknown option '--fast'"],
    ["no target", ["train", "x.csv"], 2, "wgrad: train: give --target COLUMN"],
    [
      "a number that is none",
      ["train", "x.csv", "--target", "a", "--epochs", "1.5"],
      2,
      "It must be an integer of at least 1.",
    ],
    [
      "a choice that is none",
      ["train", "x.csv", "--target", "a", "--device", "tpu"],
      2,
      "Allowed choices are cpu, webgpu.",
    ],
    [
      "a file that is not there",
      ["train", "no.csv", "--target", "a"],
      1,
      "wgrad: ENOENT: no such file or directory, open 'no.csv'\n",
    ],
    [
      "a column that is not there",
      ["train", "{flowers.csv}", "--target", "petal"],
      1,
      'wgrad: csv: column "petal" is not there; the file has "size", "colour"',
    ],
    [
      "a missing field",
      ["train", "{flowers.csv}", "--target", "kind"],
      1,
      'wgrad: csv: row 9, column 2 ("colour") is empty',
    ],
    ["no network", ["predict", "{prices.csv}", "{prices.csv}"], 1, "wgrad: safetensors: "],
  ])("%s", async (_, argv, code, message) => {
    const run = await wgrad(...argv.map((word) => word.replace(/^\{(.*)\}$/, (_, name) => path(name))));
    expect(run.code).toBe(code);
    expect(run.error).toContain(message);
    expect(run.error).not.toMatch(/\n {4}at /);
    expect(run.out).toBe("");
  });

  test("help and version are no failures", async () => {
    expect(await wgrad("--version")).toEqual({ code: 0, out: `${VERSION}\n`, error: "" });
    expect(await wgrad("train", "--help")).toMatchObject({
      code: 0,
      out: expect.stringContaining("--held-back <share>"),
      error: "",
    });
  });

  test("a network without its table is named", async () => {
    const weights = readFileSync(path("flowers/model.safetensors"));
    expect(Object.keys(safetensorsMetadata(new Uint8Array(weights))).sort()).toEqual(["csv", "format", "network"]);
    writeFileSync(path("bare.csv"), "size\n1");
    const run = await wgrad("predict", path("flowers/model.safetensors"), path("bare.csv"));
    expect(run).toMatchObject({
      code: 1,
      error: 'wgrad: csv: column "colour" is not there; the table that was learnt from has it for x.\n',
    });
  });
});
