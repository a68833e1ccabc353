import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { topological } from "../../src/graph/tensor";
import {
  constant,
  DeviceError,
  einsum,
  grad,
  input,
  type Program,
  parameter,
  scan,
  type Tensor,
} from "../../src/index";
import { compile as compileFor, type KernelSet, mayBePersistent, planning } from "../../src/webgpu/codegen/compile";
import { explain } from "../../src/webgpu/codegen/explain";
import {
  type Dispatch,
  type PersistentStep,
  type Plan,
  type PlannedKernel,
  planHash,
  type Target,
} from "../../src/webgpu/codegen/plan";
import { randomGraphs } from "../graph/random-graphs";
import { classifier, descent, HARDWARE, makersOf, SOFTWARE, twoLayer } from "./programs";

function compile(program: Program, target: Target): Plan {
  return compileFor(program, target, makersOf(target, mayBePersistent(program, target) ? undefined : "recorded"));
}

/** Its plan, and each kernel that is told of while it is made. */
function tellingOf(program: Program, target: Target, kernels: KernelSet, told: PlannedKernel[]): Plan {
  const planned = planning(program, target, (kernel) => told.push(kernel));
  let at = planned.next();
  while (!at.done) at = planned.next({ kernels, target });
  return at.value;
}

const recorded = (program: Program) => compile(program, { ...HARDWARE, route: "recorded" });
const software = (program: Program) => compile(program, { ...SOFTWARE, route: "recorded" });

/** No buffer is bound both ways in a dispatch, and no allocation twice unless only read. */
function expectNoAliasing({ step, deferred: tail, buffers }: Plan): void {
  for (const { bindings } of [...step, ...(tail ? [tail] : [])]) {
    const written = bindings
      .filter(({ access }) => access === "read_write")
      .map(({ buffer }) => buffers[buffer]?.allocation);
    const slots = bindings.map(({ buffer }) => buffers[buffer]?.allocation);
    for (const slot of written) expect(slots.filter((other) => other === slot)).toHaveLength(1);
  }
}

/** What a dispatch reads was the last thing written to its allocation: nothing that is still wanted was overwritten. */
function expectNothingLost({ step, deferred: tail, buffers }: Plan): void {
  const holds = new Map<number, number>();
  buffers.forEach(({ role, allocation: slot }, index) => {
    if (role !== "intermediate") holds.set(slot, index);
  });
  for (const { bindings } of [...step, ...(tail ? [tail] : [])]) {
    for (const { buffer, access } of bindings) {
      const slot = buffers[buffer]?.allocation as number;
      if (access === "read")
        expect(holds.get(slot), `what lies in the allocation of ${buffers[buffer]?.name}`).toBe(buffer);
      else holds.set(slot, buffer);
    }
  }
}

describe("fusion", () => {
  test("seed-000's step is five kernels: two forward, one backward, two gradients that update their weights", () => {
    for (const plan of [software(twoLayer())]) {
      expect(plan.step.map(({ kernel }) => kernel)).toEqual([
        "matmul-direct",
        "matmul-direct",
        "matmul-direct",
        "matmul-direct",
        "matmul-direct",
      ]);
      expect(plan.step.map(({ output }) => output).slice(3)).toEqual(["w2", "w1"]);
    }
  });

  test("the residue and the loss belong to the kernel that makes the prediction", () => {
    const plan = software(twoLayer());
    expect(plan.step[1]?.label).toBe("matmul sub square mul sum begun");
    expect(plan.deferred?.label).toBe("sum");
  });

  test("a loss that only the record wants costs the step no kernel; one that an update wants does", () => {
    const x = input([8, 8]);
    const w = parameter([8, 8]);
    const loss = x.matmul(w).square().sum();
    const free = recorded({ inputs: { x }, parameters: { w }, outputs: { loss } });
    expect(free.step).toHaveLength(1);
    const wanted = recorded({ inputs: { x }, parameters: { w }, outputs: { loss }, updates: { w: w.mul(loss) } });
    expect(wanted.step.map(({ kernel }) => kernel)).toEqual(["matmul-tiled", "combine", "elementwise"]);
  });

  test("a convolution with bias and activation is one kernel, and so is each of its derivatives: no windows lie in memory", () => {
    for (const [N, size] of [
      [2, 12],
      [4, 5],
    ] as const) {
      const [x, g] = [input([N, 3, size, size]), input([N, 6, size, size])];
      const [w, b] = [parameter([6, 3, 3, 3]), parameter([6, 1, 1])];
      const y = x.conv(w, { padding: 1 });
      const [dx, dw] = grad(y.mul(g).sum(), [x, w]);
      const plan = recorded({ inputs: { x, g }, parameters: { w, b }, outputs: { y: y.add(b).relu(), dx, dw } });
      const biggest = Math.max(...plan.buffers.map(({ elements }) => elements));
      expect(biggest).toBe(N * 6 * size * size);
      const products = plan.step.filter(({ product }) => product);
      expect(products.map(({ product }) => product?.views)).toContainEqual({ a: false, b: true });
      expect(products.filter(({ label }) => !label.startsWith("parts added"))).toHaveLength(3);
    }
  });

  test("scores of attention read heads where they lie, and are one kernel with their scale", () => {
    const [q, k] = [input([2, 5, 3, 8]), input([2, 7, 3, 8])];
    const scores = einsum("bqhd,bkhd->bhqk", q, k).mul(0.3);
    const plan = recorded({ inputs: { q, k }, parameters: {}, outputs: { scores } });
    expect(plan.step.map(({ shapes }) => shapes)).toEqual(["6 of [5, 8] through a view x [8, 7] through a view"]);
  });

  test("softmax, cross entropy and their derivative are one kernel", () => {
    const plan = software(classifier(64, 20, 32, 5));
    expect(plan.step.filter(({ kernel, label }) => kernel === "rows" && label.includes("max"))).toHaveLength(1);
    expect(plan.step.filter(({ label }) => label.includes("exp"))).toHaveLength(1);
  });

  test("a bias's gradient and update ride with the product that is its weight's, where threads are cheap", () => {
    const program = classifier(128, 784, 256, 96);
    const own = ({ step }: Plan) => step.filter(({ kernel, label }) => kernel === "rows" && label.startsWith("sum"));
    expect(own(recorded(program))).toEqual([]);
    expect(recorded(program).step.filter(({ label }) => label.includes("; sum")).length).toBe(2);
    expect(own(software(program)).length).toBe(2);
    // Not where the kernel would bind more buffers than the device has.
    const few = compile(program, { ...HARDWARE, route: "recorded", maxStorageBuffers: 4 });
    expect(own(few).length).toBe(2);
  });

  test("a transposed operand is indexed, not copied", () => {
    const x = input([5, 7]);
    const w = parameter([5, 3]);
    const plan = recorded({ inputs: { x }, parameters: { w }, outputs: { y: x.T.matmul(w) } });
    expect(plan.step).toHaveLength(1);
    expect(plan.step[0]?.shapes).toBe("[7, 5]ᵀ x [5, 3]");
  });

  test("operands whose names differ only in signs that WGSL has not are bound under names of their own", () => {
    const [x, w] = [input([8, 8]), parameter([8, 8])];
    const plan = software({ inputs: { "w.1": x }, parameters: { "w-1": w }, outputs: { y: x.matmul(w) } });
    const names = [...(plan.step[0]?.source ?? "").matchAll(/var<storage, \w+> (\w+):/g)].map(([, name]) => name);
    expect(names).toHaveLength(3);
    expect(new Set(names).size).toBe(3);
  });

  test("a chain of elementwise operations is one kernel, whatever its length", () => {
    const x = input([1000]);
    let y = x;
    for (let i = 0; i < 60; i++) y = y.mul(1.01).add(x).tanh();
    expect(recorded({ inputs: { x }, parameters: {}, outputs: { y } }).step.length).toBeLessThanOrEqual(2);
  });

  test("a graph of 10,000 nodes is planned", () => {
    const x = input([16]);
    let y = x;
    for (let i = 0; i < 5000; i++) y = y.mul(0.999).add(x);
    const plan = recorded({ inputs: { x }, parameters: {}, outputs: { y } });
    expect(plan.step.length).toBeLessThan(400);
    expectNothingLost(plan);
  });
});

describe("updates", () => {
  const a = parameter([4]);
  const b = parameter([4]);

  test("overwrite their parameter where nobody needs the old value afterwards", () => {
    const plan = recorded({ inputs: {}, parameters: { a }, outputs: {}, updates: { a: a.mul(2) } });
    expect(plan.step).toHaveLength(1);
    expect(plan.step[0]?.bindings).toEqual([{ buffer: plan.parameters.a, access: "read_write" }]);
  });

  test("that swap two parameters are one kernel: each thread reads both before it writes", () => {
    const plan = recorded({ inputs: {}, parameters: { a, b }, outputs: {}, updates: { a: b, b: a } });
    expect(plan.step).toHaveLength(1);
    expect(plan.step[0]?.bindings.every(({ access }) => access === "read_write")).toBe(true);
  });

  test("that swap two parameters transposed keep one value aside", () => {
    const [p, q] = [parameter([3, 3]), parameter([3, 3])];
    const plan = recorded({ inputs: {}, parameters: { p, q }, outputs: {}, updates: { p: q.T, q: p.T } });
    expect(plan.step.length).toBeGreaterThan(1);
    expectNothingLost(plan);
    expectNoAliasing(plan);
  });

  test("do not overwrite a weight that its own product still reads", () => {
    const w = parameter([4, 4]);
    const plan = recorded({ inputs: {}, parameters: { w }, outputs: {}, updates: { w: w.matmul(w) } });
    expect(plan.step.map(({ kernel }) => kernel)).toEqual(["matmul-tiled", "elementwise"]);
    expectNoAliasing(plan);
  });

  test("run after every reader of the old value", () => {
    const plan = software(twoLayer());
    const [w2] = [plan.parameters.w2 as number];
    const writes = plan.step.findIndex(({ bindings }) =>
      bindings.some(({ buffer, access }) => buffer === w2 && access === "read_write"),
    );
    const reads = plan.step.map(({ bindings }, i) =>
      bindings.some(({ buffer, access }) => buffer === w2 && access === "read") ? i : -1,
    );
    expect(Math.max(...reads)).toBeLessThan(writes);
  });
});

describe("memory", () => {
  test("values that never live at the same time share an allocation", () => {
    const x = input([64, 64]);
    const ws = Array.from({ length: 6 }, () => parameter([64, 64]));
    const y = ws.reduce((h, w) => h.matmul(w).relu(), x);
    const plan = recorded({
      inputs: { x },
      parameters: Object.fromEntries(ws.map((w, i) => [`w${i}`, w])),
      outputs: { y },
    });
    const intermediates = plan.buffers.filter(({ role }) => role === "intermediate");
    expect(new Set(intermediates.map(({ allocation: slot }) => slot)).size).toBeLessThan(intermediates.length);
  });

  test("in any program nothing is bound both ways and nothing wanted is overwritten", () => {
    fc.assert(
      fc.property(randomGraphs, ({ program }) => {
        for (const plan of [recorded(program), software(program)]) {
          expectNoAliasing(plan);
          expectNothingLost(plan);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("what joins a kernel late comes before what reads it there in place", () => {
    const b = parameter([1, 3]);
    const result = b.logSoftmax(1).tanh().square();
    const loss = result.tanh().square().mean();
    const program = { inputs: {}, parameters: { b }, outputs: { result, loss }, updates: descent(loss, { b }, 0.1) };
    for (const plan of [recorded(program), software(program)]) expectNothingLost(plan);
  });

  test("a buffer beyond the device's binding limit is refused with both numbers", () => {
    const x = input([1024, 1024]);
    const small = { ...HARDWARE, maxBindingBytes: 2 ** 20 };
    const program = { inputs: { x }, parameters: {}, outputs: { y: x.mul(2) } };
    expect(() => compile(program, small)).toThrow(DeviceError);
    expect(() => compile(program, small)).toThrow(/4194304 bytes.*at most 1048576/);
  });

  test("a kernel never binds more buffers than the device has", () => {
    const xs = Array.from({ length: 24 }, (_, i) => input([7, i + 1]));
    const w = parameter([7, 1]);
    const total = xs.reduce((sum, x) => sum.add(x.mul(w).sum(1, { keepDims: true })), w);
    const program = {
      inputs: Object.fromEntries(xs.map((x, i) => [`x${i}`, x])),
      parameters: { w },
      outputs: { total },
      updates: { w: total },
    };
    for (const maxStorageBuffers of [4, 8]) {
      const plan = compile(program, { ...HARDWARE, maxStorageBuffers, route: "recorded" });
      for (const { bindings } of plan.step) expect(bindings.length).toBeLessThanOrEqual(maxStorageBuffers);
      expectNothingLost(plan);
    }
  });
});

describe("routes", () => {
  test("a small program runs whole in one dispatch, a large one kernel by kernel", () => {
    expect(compile(classifier(100, 2, 3, 2), HARDWARE).route).toBe("persistent");
    expect(compile(twoLayer(), HARDWARE).route).toBe("recorded");
  });

  test.each([0, 4, 32])("a small network is one loop over its rows, in subgroups of %d", (subgroupSize) => {
    const plan = compile(classifier(100, 2, 3, 2), { ...SOFTWARE, subgroupSize, route: "persistent" });
    const [{ source, shapes }] = plan.step as [Dispatch];
    expect(shapes).toMatch(/\d+ of them in a loop over 100 rows/);
    // One that sums what the record wants, which no other step needs, nor the logarithm that it is made of; or one that does not.
    const [, recorded, other] = source.split(/for \(var row = local; row < 100u/) as [string, string, string];
    expect(source.split(/for \(var row = local/)).toHaveLength(3);
    expect(recorded).toMatch(/begun\d+ \+= /);
    expect(other.slice(0, other.indexOf("\n    }"))).not.toMatch(/begun\d+ \+= /);
    expect(source.includes("enable subgroups;")).toBe(subgroupSize > 0);
    // What passes from layer to layer stays in registers: memory holds the scores and 17 weights, and on a GPU the data too.
    expect(source).toContain("const MEMORY = 217u;");
  });

  test("the few weights of a small network are held by every thread of a subgroup, which then waits for nobody", () => {
    const { outputs, ...program } = classifier(100, 2, 3, 2);
    const loss = { loss: outputs.loss as Tensor };
    const whole = (target: Partial<Target>, each: Program) =>
      compile(each, { ...SOFTWARE, subgroupSize: 4, route: "persistent", ...target }).step[0] as Dispatch;
    const held = whole({}, { ...program, outputs: loss });
    expect(held.shapes).toContain("17 values held by every thread");
    expect(held.persistent?.barriers).toBe(0);
    // The logarithm is wanted by the record alone: steps that are not recorded have a loop without it.
    expect(held.source.match(/for \(var row = local; row < 100u/g)).toHaveLength(2);
    // A value of each row has no place there, nor have weights where threads are no subgroup.
    expect(whole({}, { ...program, outputs }).shapes).toContain("workgroup memory");
    expect(whole({ subgroupSize: 0 }, { ...program, outputs: loss }).shapes).toContain("workgroup memory");
  });

  test.each([
    [100, 32],
    [300, 64],
    [700, 128],
    [1400, 128],
  ])("a loop over %d rows has %d threads on a GPU", (rows, threads) => {
    const plan = compile(classifier(rows, 2, 3, 2), { ...HARDWARE, route: "persistent" });
    expect(plan.step[0]?.persistent?.threads).toBe(threads);
  });

  test("however many tensors a program has, it runs whole with two bindings", () => {
    const x = input([20, 3]);
    const parameters = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`w${i}`, parameter([3, 3])]));
    const output = Object.values(parameters).reduce((value, w) => value.matmul(w).tanh(), x);
    const loss = output.square().sum();
    const program = { inputs: { x }, parameters, outputs: { loss, output }, updates: descent(loss, parameters, 0.1) };
    const plan = compile(program, { ...HARDWARE, maxStorageBuffers: 8 });
    expect(plan.route).toBe("persistent");
    expect(plan.step[0]?.bindings).toHaveLength(2);
    // Each lies in the one allocation, apart from the others.
    const lying = plan.buffers.filter(({ role }) => role === "input" || role === "parameter" || role === "output");
    const ends = lying
      .map(({ offset, elements }) => [offset, offset + elements * 4])
      .sort(([a], [b]) => (a ?? 0) - (b ?? 0));
    expect(new Set(lying.map(({ allocation: slot }) => slot)).size).toBe(1);
    for (const [i, [begin]] of ends.entries()) expect(begin).toBe(i === 0 ? 0 : ends[i - 1]?.[1]);
  });

  test("sums over the batch that others need run ahead in a loop of their own", () => {
    const [x, valid] = [input([16, 2]), input([16])];
    const w = parameter([2, 3]);
    const b = parameter([3]);
    const scores = x.matmul(w).add(b).tanh();
    const loss = scores.square().sum(1).mul(valid).sum().div(valid.sum());
    const updates = descent(loss, { w, b }, 0.1);
    const plan = compile(
      { inputs: { x, valid }, parameters: { w, b }, outputs: { loss }, updates },
      { ...HARDWARE, route: "persistent" },
    );
    expect(plan.step[0]?.source.match(/for \(var row = local; row < 16u/g)).toHaveLength(2);
  });

  test("what does not fit a workgroup's memory is never persistent", () => {
    const plan = compile(classifier(100, 2, 3, 2), { ...HARDWARE, maxWorkgroupBytes: 2048, route: "persistent" });
    expect(plan.route).toBe("recorded");
  });

  test("a step of more turns than a thread may take in a dispatch is never persistent", () => {
    const program = classifier(100, 2, 8, 3);
    const on = (maxTurns?: number) =>
      compile(program, { ...SOFTWARE, route: "persistent", ...(maxTurns !== undefined && { maxTurns }) });
    const { turns, turnsOnce } = (on().step[0] as Dispatch).persistent as PersistentStep;
    expect(on(turns + turnsOnce).route).toBe("persistent");
    expect(on(turns + turnsOnce - 1).route).toBe("recorded");
  });

  test("constants and inputs stay outside where there is no room for them", () => {
    const data = constant(new Float32Array(20_000).fill(1), [10_000, 2]);
    const w = parameter([2, 1]);
    const loss = data
      .take(input([8], "int32"))
      .matmul(w)
      .sum();
    const target = { ...HARDWARE, route: "persistent" } as const;
    expect(() => compile({ inputs: {}, parameters: { w }, outputs: { loss } }, target)).not.toThrow();
  });

  test("what updates nothing is run once, kernel by kernel, unless it is asked for whole", () => {
    const { updates: _, ...forward } = classifier(100, 2, 3, 2);
    expect(compile(forward, HARDWARE).route).toBe("recorded");
    expect(compile(forward, { ...HARDWARE, route: "persistent" }).route).toBe("persistent");
  });
});

describe("a plan is plain data", () => {
  test("what takes longer to compile than its steps save is not compiled", () => {
    const program = classifier(100, 2, 16, 3);
    const target = { ...SOFTWARE, subgroupSize: 4 };
    const few = compile({ ...program, steps: 16 }, target);
    expect(few.route).toBe("recorded");
    expect(few.reason).toMatch(/for 16 steps: \d+ µs a step after \d+ ms of compiling in one workgroup, \d+ µs/);
    // A training, as which a program is taken that does not say, is long enough.
    expect(compile(program, target).route).toBe("persistent");
    expect(compile(program, target).reason).toContain("for 10000 steps");
    expect(compile({ ...program, steps: 16 }, { ...target, route: "persistent" }).route).toBe("persistent");
  });

  test("equal programs give equal plans, named by a hash", () => {
    const [a, b] = [compile(twoLayer(), HARDWARE), compile(twoLayer(), HARDWARE)];
    expect(planHash(a)).toBe(planHash(b));
    expect(JSON.stringify(a)).toBe(JSON.stringify(b));
    expect(planHash(compile(twoLayer(32), HARDWARE))).not.toBe(planHash(a));
  });

  test("its kernels are told of while it is made, each as it will be compiled, where it can be no other plan", () => {
    const told: PlannedKernel[] = [];
    const { step } = tellingOf(twoLayer(), SOFTWARE, makersOf(SOFTWARE, "recorded"), told);
    const compiled = ({ kernel, label, source, stepArguments, bindings }: PlannedKernel) => {
      return { kernel, label, source, stepArguments, access: bindings.map(({ access }) => access) };
    };
    expect(told.map(compiled)).toEqual(step.map(compiled));
    tellingOf(classifier(64, 2, 16, 3), HARDWARE, makersOf(HARDWARE), told);
    expect(told).toHaveLength(step.length);
  });

  test("explain() names kernels, operands, work, memory, route and hash", () => {
    const plan = compile(twoLayer(), SOFTWARE);
    const text = explain(plan);
    for (const part of [
      planHash(plan),
      "5 kernels a step",
      "recorded",
      "[64, 1000] x [1000, 100]",
      "-> w1",
      "FLOP",
      "w2  1000 float32",
    ]) {
      expect(text).toContain(part);
    }
  });
});

test("a scan's kernels and their text do not grow with its length, nor do its derivative's", () => {
  const planned = (length: number) => {
    const [xs, w, h] = [input([length, 2, 3]), parameter([3, 3]), input([2, 3])];
    const { carry } = scan(
      ({ h }, x) => {
        const next = h.matmul(w).add(x).tanh();
        return { carry: { h: next }, y: next };
      },
      { h },
      xs,
    );
    const loss = carry.h.square().sum();
    return { inputs: { xs, h }, parameters: { w }, outputs: { loss }, updates: descent(loss, { w }, 0.1) };
  };
  for (const plan of [recorded, software]) {
    const [short, long] = [planned(10), planned(1000)].map((program) => plan(program).step) as [
      readonly Dispatch[],
      readonly Dispatch[],
    ];
    const outline = (step: readonly Dispatch[]) =>
      step.flatMap(({ kernel, source }) => (kernel === "scan" ? [source.replace(/\d+/g, "1")] : []));
    expect(outline(long)).toEqual(outline(short));
    expect(outline(short)).toHaveLength(2);
    // The weight's derivative is one product of all steps, whose terms are cut up where they are many.
    expect(long.length - short.length).toBeLessThanOrEqual(1);
    const text = (step: readonly Dispatch[]) => step.reduce((sum, { source }) => sum + source.length, 0);
    expect(text(long)).toBeLessThan(2 * text(short));
  }
});

test("a scan that binds more than the device does packs the rest, and says so", () => {
  const shapes = Array.from({ length: 12 }, () => input([3]));
  const { carry } = scan(
    (carry, x) => {
      const sum = shapes.reduce((sum, each) => sum.add(each), x);
      return { carry: { a: carry.a.add(sum), b: carry.b.mul(sum) }, y: sum };
    },
    { a: input([3]), b: input([3]) },
    input([5, 3]),
  );
  const inputs = Object.fromEntries(
    topological(Object.values(carry)).flatMap((node) => (node.op === "input" ? [[`x${node.id}`, node]] : [])),
  );
  const plan = compile({ inputs, parameters: {}, outputs: carry }, { ...HARDWARE, maxStorageBuffers: 8 });
  for (const { bindings } of plan.step) expect(bindings.length).toBeLessThanOrEqual(8);
  expectNoAliasing(plan);
  expectNothingLost(plan);
  expect(explain(plan)).toContain("packed for");
});

test("a scan of more turns than an adapter takes is refused by name, with both numbers", () => {
  const { carry } = scan(({ h }, x) => ({ carry: { h: h.add(x) }, y: x }), { h: input([2]) }, input([9000, 2]));
  const inputs = Object.fromEntries(
    topological([carry.h]).flatMap((node) => (node.op === "input" ? [[`x${node.id}`, node]] : [])),
  );
  const program = { inputs, parameters: {}, outputs: carry };
  expect(() => compile(program, { ...SOFTWARE, maxTurns: 9000 })).toThrow(
    /scan needs \d+ turns of its loops in one thread, and this adapter ends them after 9000; scan over fewer steps/,
  );
  expect(recorded(program).step).toHaveLength(1);
});
