import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { main } from "../../src/cli/main";
import { checkReference, readReference } from "../../src/cli/sweep-data";
import type { SweepResults } from "../../src/sweep/index";

const folder = mkdtempSync(join(tmpdir(), "wgrad-cli-sweep-"));
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a command says, and its exit code. */
async function wgrad(...argv: string[]) {
  const said = { out: "", error: "" };
  const stream = (to: "out" | "error") => {
    const write = (text: string) => {
      said[to] += text;
    };
    return { isTTY: false, write } as never;
  };
  const code = await main(argv, { out: stream("out"), error: stream("error") });
  return { code, ...said };
}

/** The file that the guide prints, of fewer epochs. */
const guide = readFileSync(fileURLToPath(new URL("../../docs/many.md", import.meta.url)), "utf8");
const PRINTED = JSON.parse(/^```json\n(.*?)^```$/ms.exec(guide)?.[1] ?? "");
const described = (change: object = {}) => ({ ...PRINTED, trial: { ...PRINTED.trial, epochs: 8 }, ...change });

beforeAll(() => {
  const rows = Array.from({ length: 45 }, (_, i) => {
    const [species, mass] = [
      ["Adelie", 3700],
      ["Gentoo", 5100],
      ["Chinstrap", 4400],
    ][i % 3] as [string, number];
    return `${species},${i === 7 ? "" : mass + 100 * Math.sin(i)},${40 + Math.cos(i)}`;
  });
  writeFileSync(path("penguins.csv"), ["species,mass,bill", ...rows].join("\n"));
  writeFileSync(path("sweep.json"), JSON.stringify(described()));
});

describe("wgrad sweep", () => {
  test("trains the file that the guide prints, prints the best and writes all; started again it has it all", async () => {
    const flags = ["sweep", path("sweep.json"), "--out", path("out")];
    const { code, out, error } = await wgrad(...flags);
    expect(code, error).toBe(0);
    expect(error).toMatch(
      /144 of 144 epochs: 18 of 18 trials, best lr 0\.0\d+, width \d+, seed \d: held back [\d.]+, [\d.]+ % right/,
    );
    expect(out).toMatch(
      /^filled: 1 missing in mass with .*\nCPU: penguins\.csv, 36 rows to train on\n +lr +width +seed +epochs +loss +right +held back ▾/,
    );
    expect(out).toMatch(/\n10 .*\nand 8 more in results\.csv\nwrote .*results\.json\nwrote .*results\.csv\n$/);
    const results = JSON.parse(readFileSync(path("out/results.json"), "utf8")) as SweepResults;
    expect(results.trials.map(({ status }) => status)).toEqual(Array(18).fill("done"));
    expect(readFileSync(path("out/results.csv"), "utf8").trimEnd().split("\n")).toHaveLength(19);
    expect(readdirSync(path("out")).sort()).toEqual(["results.csv", "results.json", "sweep-state"]);
    expect(readdirSync(path("out/sweep-state"))).toEqual(["state"]);

    const again = await wgrad(...flags);
    expect(again.out).toBe(out);
    writeFileSync(path("other.json"), JSON.stringify(described({ space: { ...PRINTED.space, seed: [7] } })));
    const other = await wgrad("sweep", path("other.json"), "--out", path("out"));
    expect([other.code, other.error]).toEqual([
      1,
      expect.stringContaining("wgrad: sweep: the store's state is that of another sweep"),
    ]);
  });

  test.each<[string, object | string, number, string]>([
    ["no JSON", "{", 2, "is no JSON"],
    [
      "an unknown key",
      described({ layers: [] }),
      2,
      'wgrad: wrong.json has "layers"; what it may have is data, space, trial',
    ],
    ["no space", described({ space: undefined }), 2, 'wrong.json has no "space"'],
    [
      "data elsewhere",
      described({ data: { file: "../a.csv", target: "b" } }),
      2,
      'data.file is "../a.csv"; it must be below the folder',
    ],
    [
      "no such data",
      described({ data: { file: "a.csv", target: "b" } }),
      1,
      "a.csv here; copy it there, or say by --data",
    ],
    [
      "no such layer",
      described({ trial: { ...PRINTED.trial, layers: ["denze"] } }),
      1,
      'trial.layers[0].name is "denze"',
    ],
    [
      "no such strategy",
      described({ strategy: "luck" }),
      1,
      'strategy.name is "luck"; it must be grid, random or halving.',
    ],
  ])("%s is refused", async (_, file, code, message) => {
    writeFileSync(path("wrong.json"), typeof file === "string" ? file : JSON.stringify(file));
    const run = await wgrad("sweep", path("wrong.json"), "--out", path("wrong"));
    expect([run.code, run.error]).toEqual([code, expect.stringContaining(message)]);
  });

  test("over machines wants an address, a Redis that answers, and the packages", async () => {
    const over = async (address: string) =>
      wgrad("sweep", path("sweep.json"), "--out", path("over"), "--workers", address);
    expect((await over("localhost:6379")).error).toContain("Redis's address begins with localhost://");
    const nobody = await over("redis://user:secret@127.0.0.1:1");
    expect([nobody.code, nobody.error]).toEqual([
      1,
      expect.stringMatching(/no Redis answers at redis:\/\/127\.0\.0\.1:1 \(.*ECONNREFUSED.*\); start one/),
    ]);
    expect(nobody.error + nobody.out).not.toContain("secret");
    vi.doMock("ioredis", () => {
      throw new Error("Cannot find package 'ioredis'");
    });
    const without = await over("redis://127.0.0.1:1");
    expect([without.code, without.error]).toEqual([
      1,
      expect.stringContaining("need the packages bullmq and ioredis: npm install bullmq ioredis"),
    ]);
    vi.doUnmock("ioredis");
  });
});

describe("what an entry says of its data", () => {
  test.each<[object, string]>([
    [{ file: "/etc/passwd" }, 'entry.data.file is "/etc/passwd"; it must be below the folder of the data'],
    [{ file: "a/../../b.csv" }, "neither absolute nor with .."],
    [{ file: "C:\\b.csv" }, "neither absolute nor with .."],
    [{ target: {} }, "entry.data.target is {}; it must be the column to predict"],
    [{ heldBack: 1 }, "entry.data.heldBack is 1; it must be at least 0 and below 1."],
    [{ header: "yes" }, 'entry.data.header is "yes"; it must be true or false.'],
    [{ code: "1" }, 'entry.data has "code"; what it may have is file, sha256, target'],
  ])("is refused where it is wrong: %j", (change, message) => {
    expect(() => checkReference("entry.data", { file: "a.csv", target: "b", ...change } as never)).toThrow(message);
  });

  test("reads no file that a link leads to out of the folder, and none that is another than was meant", async () => {
    writeFileSync(path("secret.csv"), "a\n1");
    mkdirSync(path("tables"));
    symlinkSync(path("secret.csv"), path("tables/link.csv"));
    const at = (reference: object) => checkReference("data", { target: 0, ...reference } as never);
    await expect(readReference(path("tables"), at({ file: "link.csv" }))).rejects.toThrow(
      "leads out of the folder of the data",
    );
    await expect(readReference(folder, at({ file: "secret.csv", sha256: "0".repeat(64) }))).rejects.toThrow(
      "is not the file that the sweep was begun with",
    );
  });
});
