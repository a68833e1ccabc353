import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Contender } from "./contender";
import type { Entrant } from "./contenders";
import script from "./peers.py?raw";
import { dataOf } from "./tasks";

const patienceMs = 180_000;

export const pythonContenders = [
  { name: "NumPy", ours: false, webgpu: false, which: "numpy" },
  { name: "PyTorch cpu", ours: false, webgpu: false, which: "torch-cpu" },
] as const satisfies readonly PythonEntrant[];

export const cudaContenders = [
  { name: "PyTorch CUDA eager", ours: false, webgpu: false, which: "torch-cuda-eager" },
  { name: "PyTorch CUDA graph", ours: false, webgpu: false, which: "torch-cuda-graph" },
] as const satisfies readonly PythonEntrant[];

export interface PythonEntrant extends Entrant {
  which: "numpy" | "torch-cpu" | "torch-cuda-eager" | "torch-cuda-graph";
}

/** A Python process that keeps its task between calls. `open` throws where python3 or the package is not there. */
export function pythonContender({ which, ...entrant }: PythonEntrant): Contender {
  let child: ChildProcess | undefined;
  let folder = "";
  let waiting: { resolve(line: string): void; reject(error: Error): void } | undefined;

  const start = () => {
    folder = mkdtempSync(join(tmpdir(), "wgrad-bench-"));
    const path = join(folder, "peers.py");
    writeFileSync(path, script);
    const started = spawn("python3", ["-u", path, which], { stdio: ["pipe", "pipe", "ignore"] });
    const fail = (error: Error) => {
      waiting?.reject(error);
      waiting = undefined;
    };
    started.on("error", fail);
    started.on("exit", (code) => fail(new Error(`python3 ended with ${code}`)));
    started.stdin.on("error", () => {}); // "exit" tells it
    createInterface(started.stdout).on("line", (line) => {
      waiting?.resolve(line);
      waiting = undefined;
    });
    child = started;
  };

  const call = async <T>(request: Record<string, unknown>): Promise<T> => {
    let timer: NodeJS.Timeout | undefined;
    const line = await new Promise<string>((resolve, reject) => {
      waiting = { resolve, reject };
      timer = setTimeout(() => reject(new Error(`no answer in ${patienceMs / 1000} s`)), patienceMs);
      child?.stdin?.write(`${JSON.stringify(request)}\n`);
    }).finally(() => clearTimeout(timer));
    const answer = JSON.parse(line) as { ok: T } | { error: string };
    if ("error" in answer) throw new Error(answer.error);
    return answer.ok;
  };

  return {
    ...entrant,
    async open() {
      start();
      return call<string>({ call: "open" });
    },
    async prepare(task) {
      const arrays: Record<string, { shape: readonly number[]; dtype: string }> = {};
      for (const [name, { shape, values }] of Object.entries(dataOf(task))) {
        writeFileSync(join(folder, `${name}.bin`), values);
        arrays[name] = { shape, dtype: values instanceof Int32Array ? "int32" : "float32" };
      }
      await call({ call: "prepare", task, folder, arrays });
    },
    run: (steps) => call({ call: "run", steps }),
    row: (row) => call({ call: "row", row }),
    plan: async () => null,
    release: async () => {},
    async close() {
      child?.stdin?.end();
      child?.kill();
      child = undefined;
      if (folder) rmSync(folder, { recursive: true, force: true });
    },
  };
}
