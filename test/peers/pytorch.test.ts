import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PYTHON } from "../../scripts/peers";
import { writePyTorch } from "../../src/files/pytorch";
import { type Device, open, type Trainer, trainer } from "../../src/index";
import { CASES, type Case } from "./networks";

const script = fileURLToPath(new URL("run-train.py", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "wgrad-pytorch-"));

/** Steps that are done here before the files are written, within an epoch; by PyTorch; and by nobody but us. */
const [BEFORE, UNTIL, STEPS] = [7, 47, 60];
/** Of a loss, of itself: what the sums of float32 in another order come to. */
const TOLERANCE = 1e-5;
const PROCESSES = ["one", "two"] as const;

interface Run {
  readonly net: Trainer;
  readonly given: Case;
  /** Losses here, of the steps from BEFORE on. */
  readonly ours: Float32Array;
}

let device: Device;
const runs = new Map<string, Run>();

const fitted = (net: Trainer, { data, sampleWeights }: Case) =>
  net.fit(data, { steps: STEPS, seed: 3, ...(sampleWeights && { sampleWeights }) });

beforeAll(async () => {
  device = await open({ backend: "cpu" });
  for (const [name, given] of Object.entries(CASES)) {
    const net = await trainer(device, given.model, given.options);
    const { data, sampleWeights } = given;
    const options = { steps: STEPS, seed: 3, ...(sampleWeights && { sampleWeights }) };
    await (await net.begin(data, { seed: 3 })).advance(BEFORE);
    const files = await writePyTorch(net, data, options);
    for (const processes of PROCESSES) {
      const into = join(folder, processes, name);
      mkdirSync(into, { recursive: true });
      for (const [file, bytes] of Object.entries(files)) writeFileSync(join(into, file), bytes);
    }
    net.resume(files["checkpoint.safetensors"]);
    runs.set(name, { net, given, ours: (await fitted(net, given)).loss });
  }
  const asked = (processes: string) =>
    JSON.stringify(
      Object.keys(CASES).map((name) => {
        const of = join(folder, processes, name);
        return [of, "--until", String(UNTIL), "--history", join(of, "history.csv")];
      }),
    );
  const env = { ...process.env, OMP_NUM_THREADS: "1" };
  const python = (...args: string[]) => execFileSync(PYTHON, args, { env, stdio: "pipe", timeout: 300_000 });
  python(script, asked("one"));
  const launch = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--rdzv_backend", "c10d"];
  // Under Python 3.11 the launcher of PyTorch 1.13 does not know its own default for where output goes.
  launch.push("--redirects", "1", "--tee", "1", "--log_dir", join(folder, "log"));
  python(...launch, "--rdzv_endpoint", "localhost:0", script, asked("two"));
});
afterAll(() => {
  device?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(PROCESSES)("in %s of PyTorch's processes", (processes) => {
  test.each(Object.keys(CASES))("%s goes on on the same curve, and comes back on it", async (name) => {
    const { net, given, ours } = runs.get(name) as Run;
    const of = join(folder, processes, name);
    const rows = readFileSync(join(of, "history.csv"), "utf8").trim().split("\n").slice(1);
    const theirs = rows.map((row) => Number(row.split(",")[1]));
    expect(theirs.length).toBe(UNTIL - BEFORE);
    const off = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      Math.max(...Array.from(a, (loss, i) => Math.abs(loss / (b[i] as number) - 1)));
    expect(off(theirs, ours)).toBeLessThan(TOLERANCE);
    net.resume(readFileSync(join(of, "checkpoint.safetensors")));
    const rest = await fitted(net, given);
    expect(rest.step[0]).toBe(UNTIL);
    expect(rest.loss.length).toBe(STEPS - UNTIL);
    expect(off(rest.loss, ours.subarray(UNTIL - BEFORE))).toBeLessThan(TOLERANCE);
  });
});
