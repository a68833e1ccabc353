import { availableParallelism } from "node:os";
import workerThreads, { Worker } from "node:worker_threads";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import {
  adam,
  conv2d,
  DeviceError,
  dense,
  embedding,
  flatten,
  gru,
  input,
  layerNorm,
  type Model,
  maxPool2d,
  multiHeadAttention,
  open,
  type Program,
  parameter,
  positionEmbedding,
  residual,
  sequential,
  softmaxCrossEntropy,
  squaredError,
  type Tensor,
  type Values,
} from "../../src/index";
import { Criterion } from "../../src/nn/losses";
import { Sequential } from "../../src/nn/model";
import { Rule } from "../../src/nn/optimizers";
import { trainingProgram } from "../../src/nn/programs";
import { TURNS } from "../../src/util/event-loop";
import { sizeOf } from "../../src/util/shape";
import { coresHere } from "../../src/wasm/cores";
import type { ThreadsHere } from "../../src/wasm/runner";
import { Threads } from "../../src/wasm/threads";
import { integers, normal } from "../graph/numbers";
import { randomGraphs } from "../graph/random-graphs";
import { compiled } from "./wasm";

/** Everything that can be dealt out is, in parts as small as they may be. */
const FINEST = { partNs: 0, threadNs: 0 };

const lost = vi.fn();
const pools = new Map([2, 3, 4].map((count) => [count, new Threads(lost)]));
afterAll(() => {
  for (const pool of pools.values()) pool.close();
});
afterEach(() => vi.restoreAllMocks());

const on = (most: number, grain = FINEST): ThreadsHere => ({
  most,
  alone: null,
  grain,
  threads: async () => pools.get(most) as Threads,
});

/** Numbers for inputs or parameters: those of int32 are small indices. */
const given = (tensors: Record<string, Tensor>, seed: number) =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, dtype }], i) => [
      name,
      dtype === "int32" ? Int32Array.from(integers(sizeOf(shape), 5, seed + i)) : normal(sizeOf(shape), seed + i),
    ]),
  );

/** All that a program leaves after some steps, as bits. */
async function bitsOf(
  program: Program,
  here?: ThreadsHere,
  parameters: Record<string, Values> = given(program.parameters, 1),
  inputs: Record<string, Values> = given(program.inputs, 50),
): Promise<{ bits: Record<string, Buffer>; told: string }> {
  const { session } = await compiled(program, here);
  session.write(parameters);
  const result = await session.run(inputs, { steps: 3 });
  const names = Object.keys(program.parameters);
  const state = await session.readAll(names);
  names.forEach((name, i) => {
    result[`${name} after it`] = state[i] as Float32Array;
  });
  const told = session.explain();
  session.dispose();
  return {
    bits: Object.fromEntries(Object.entries(result).map(([name, { buffer }]) => [name, Buffer.from(buffer)])),
    told,
  };
}

/** The names of what is not the same in both. */
function differing(a: Record<string, Buffer>, b: Record<string, Buffer>): string[] {
  return Object.keys(a).filter((name) => !a[name]?.equals(b[name] ?? Buffer.alloc(0)));
}

async function expectSameBits(program: Program, ...values: Record<string, Values>[]) {
  const { bits } = await bitsOf(program, undefined, ...values);
  for (const threads of pools.keys()) {
    const { bits: others, told } = await bitsOf(program, on(threads), ...values);
    expect(differing(bits, others), told).toEqual([]);
    expect(told).toContain(`\nthreads: ${threads}\n`);
  }
  expect(lost).not.toHaveBeenCalled();
  return { bits };
}

describe("two, three and four threads give the bits of one", () => {
  test.each<[string, Model, "values" | "classes"]>([
    ["dense layers", sequential(300, [dense(37, { activation: "tanh" }), dense(10)]), "classes"],
    [
      "a convolutional network",
      sequential(
        [1, 28, 28],
        [
          conv2d(5, 3, { activation: "relu", padding: "same" }),
          maxPool2d(2),
          conv2d(9, 3, { activation: "relu" }),
          maxPool2d(2),
          flatten(),
          dense(10),
        ],
      ),
      "classes",
    ],
    [
      "a GPT",
      sequential(
        [12],
        [
          embedding(19, 24),
          positionEmbedding(),
          residual([layerNorm(), multiHeadAttention(3, { causal: true })]),
          residual([layerNorm(), dense(48, { activation: "gelu" }), dense(24)]),
          dense(19),
        ],
      ),
      "classes",
    ],
    ["a GRU", sequential([5, 3], [gru(12), dense(1)]), "values"],
  ])("%s", async (_, model, kind) => {
    const [loss, rule] = [kind === "classes" ? softmaxCrossEntropy() : squaredError(), adam()];
    if (!(model instanceof Sequential && loss instanceof Criterion && rule instanceof Rule))
      throw new Error("a network of another kind");
    const setting = { rows: 6, batch: null, ragged: false, kind, steps: 3 };
    const program = trainingProgram(model, loss.settled(model.units), rule, setting);
    // An optimizer's squares are none below 0: of NaN all bits are the same.
    const parameters = Object.fromEntries(
      Object.entries(given(program.parameters, 1)).map(([name, values]) => [name, values.map(Math.abs)]),
    );
    const { bits } = await expectSameBits(program, parameters);
    expect(Number.isFinite(bits.loss?.readFloatLE(8))).toBe(true);
  });

  // Rows and columns beside tiles and blocks; sums of several blocks; batches, and operands through views.
  test.each([
    [1, 300, 3, 70],
    [1, 241, 260, 30],
    [1, 2, 600, 190],
    [1, 33, 260, 200],
    [5, 9, 300, 11],
    [3, 41, 7, 193],
  ])("%s products [%s, %s] by [.., %s]", async (batch, M, K, N) => {
    const [a, b, t] = [input([batch, M, K]), input([batch, K, N]), input([M, batch, K])];
    const turned = t.permute([1, 0, 2]).matmul(b).relu();
    await expectSameBits({ inputs: { a, b, t }, parameters: {}, outputs: { c: a.matmul(b).tanh(), turned } });
  });

  test("convolutions of one image, and of few channels", async () => {
    const [x, one] = [input([3, 1, 11, 9]), input([1, 4, 12, 12])];
    const [v, w] = [parameter([2, 1, 3, 3]), parameter([6, 4, 3, 3])];
    const outputs = { few: x.conv(v, { padding: 1 }), image: one.conv(w, { stride: 2 }) };
    await expectSameBits({ inputs: { x, one }, parameters: { v, w }, outputs });
  });

  test("random programs", async () => {
    await fc.assert(
      fc.asyncProperty(randomGraphs, async ({ program, parameters, inputs }) => {
        const { bits } = await bitsOf(program, undefined, parameters, inputs);
        const { bits: others, told } = await bitsOf(program, on(3), parameters, inputs);
        expect(differing(bits, others), told).toEqual([]);
      }),
      { numRuns: 25, seed: 7 },
    );
    expect(lost).not.toHaveBeenCalled();
  });
});

/** 34 MFLOP a step: enough for two. `w` goes on by the same amount each step. */
function large(): Program {
  const [x, w] = [input([256, 256]), parameter([256, 256])];
  return { inputs: { x }, parameters: { w }, outputs: { y: x.matmul(w) }, updates: { w: w.add(0.25) } };
}
const inputs = { x: normal(256 * 256, 5) };

function small(): Program {
  const w = parameter([3]);
  return { inputs: {}, parameters: { w }, outputs: { total: w.sum() }, updates: { w: w.add(1) } };
}

/** Workers that are made from here on; `Made` may be another class. */
function watched(Made: typeof Worker = Worker): Worker[] {
  const made: Worker[] = [];
  class Watched extends Made {
    constructor(...given: ConstructorParameters<typeof Worker>) {
      super(...given);
      made.push(this);
    }
  }
  const { getBuiltinModule } = process;
  vi.spyOn(process, "getBuiltinModule").mockImplementation((name: string) =>
    name === "node:worker_threads" ? { ...workerThreads, Worker: Watched } : getBuiltinModule(name),
  );
  return made;
}

const exited = (worker: Worker | undefined) => new Promise((resolve) => worker?.on("exit", resolve));

describe("a device", () => {
  test("gives a program the threads it has work for, says so, and ends them with itself", async () => {
    const workers = watched();
    const device = await open({ backend: "cpu", threads: 2 });
    expect(device.info.description).toBe("CPU, WebAssembly, up to 2 threads");
    const few = await device.compile(small());
    expect(few.explain()).toContain("\nthreads: 1, a step has too little work for more");
    expect(workers.length).toBe(0);
    const session = await device.compile(large());
    expect(session.explain()).toContain("\nthreads: 2\n");
    expect(session.explain()).toMatch(/contraction .*\n.* B, 2 threads\)/);
    expect(workers.length).toBe(1);
    const another = await device.compile(large());
    expect(workers.length).toBe(1);
    session.write({ w: normal(256 * 256, 6) });
    another.write({ w: normal(256 * 256, 6) });
    const [a, b] = await Promise.all([session, another].map((each) => each.run(inputs, { steps: 3 })));
    expect(a?.y).toEqual(b?.y);
    expect((await another.profile(inputs)).map(({ kernel }) => kernel)).toEqual(["contraction", "map"]);
    session.dispose();
    expect((await another.run(inputs)).y?.length).toBe(256 * 256);
    const end = exited(workers[0]);
    device.close();
    await end;
  });

  test("takes as many as there are cores where none are asked for, and none beside itself where one is", async () => {
    const cores = availableParallelism();
    expect(coresHere(undefined)).toEqual(
      cores > 1 ? { most: Math.min(cores, 16), alone: null } : { most: 1, alone: "this machine has one core" },
    );
    const workers = watched();
    const device = await open({ backend: "cpu", threads: 1 });
    expect(device.info.description).toBe("CPU, WebAssembly, one thread: as asked");
    expect((await device.compile(large())).explain()).toContain("\nthreads: 1, as asked");
    expect(workers.length).toBe(0);
    device.close();
    for (const threads of [0, -1, 1.5, Number.NaN, "2" as never])
      await expect(open({ backend: "cpu", threads })).rejects.toThrow(
        `open: threads is ${typeof threads === "string" ? '"2"' : threads}; it must be a whole number from 1 on, or left out`,
      );
  });

  test("has one where memory cannot be shared or its thread may not wait, and says which", async () => {
    vi.spyOn(Atomics, "wait").mockImplementation(() => {
      throw new TypeError("Atomics.wait cannot be called in this context");
    });
    expect(coresHere(4)).toEqual({
      most: 1,
      alone: "a page's main thread may not wait for others; open the device in a worker",
    });
    vi.stubGlobal("crossOriginIsolated", false);
    const device = await open({ backend: "cpu", threads: 4 });
    vi.unstubAllGlobals();
    expect(device.info.description).toContain("one thread: threads share no memory in a page that is not cross-origin");
    expect((await device.compile(large())).explain()).toContain("cross-origin isolated");
    device.close();
  });

  test("goes on in one thread where no worker can be made", async () => {
    class Barred {
      constructor() {
        throw new Error("barred");
      }
    }
    watched(Barred as unknown as typeof Worker);
    const device = await open({ backend: "cpu", threads: 2 });
    const session = await device.compile(large());
    expect(session.explain()).toContain("\nthreads: 1, a worker could not be made: barred");
    expect(device.info.description).toContain("one thread: a worker could not be made: barred");
    expect((await session.run(inputs)).y?.some(Number.isNaN)).toBe(false);
    device.close();
  });

  test("goes on in one thread, with the same bits, after a worker has died between two runs", async () => {
    const workers = watched();
    const device = await open({ backend: "cpu", threads: 2 });
    const session = await device.compile(large());
    const alone = await (await open({ backend: "cpu", threads: 1 })).compile(large());
    await session.run(inputs, { steps: 3 });
    await alone.run(inputs, { steps: 5 });
    const end = exited(workers[0]);
    await workers[0]?.terminate();
    await end;
    await session.run(inputs, { steps: 2 });
    expect(await session.read("w")).toEqual(await alone.read("w"));
    expect(await session.read("y")).toEqual(await alone.read("y"));
    expect(session.explain()).toContain("\nthreads: 1, a worker ended");
    expect((await device.compile(large())).explain()).toContain("\nthreads: 1, a worker ended");
    device.close();
  });

  test("is lost, and believes nothing, where a worker dies in the middle of a step", async () => {
    const workers = watched();
    const told = vi.fn();
    const pool = new Threads(told, 300);
    const { session } = await compiled(large(), { ...on(2), threads: async () => pool });
    // Nobody hears of its end before the step begins.
    vi.spyOn(TURNS, "given").mockResolvedValue();
    void workers[0]?.terminate();
    await expect(session.run(inputs)).rejects.toThrow(DeviceError);
    expect(told).toHaveBeenCalledWith(expect.stringContaining("a thread of the CPU was lost in the middle of a step"));
  });

  test("stops a run between steps when it is told to, or closed, and the next run goes on from there", async () => {
    const device = await open({ backend: "cpu", threads: 2 });
    const session = await device.compile(large());
    session.write({ w: new Float32Array(256 * 256) });
    const abort = new AbortController();
    const stopped = session.run(inputs, { steps: 1e6, signal: abort.signal });
    setTimeout(() => abort.abort(new Error("enough")));
    await expect(stopped).rejects.toThrow("enough");
    const [done = 0] = await session.read("w");
    await session.run(inputs, { steps: 3 });
    expect((await session.read("w")).every((value) => value === done + 0.75)).toBe(true);
    const endless = session.run(inputs, { steps: 1e6 });
    setTimeout(() => device.close());
    await expect(endless).rejects.toThrow("the device was closed");
  });
});
