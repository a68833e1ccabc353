import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OPS } from "../../src/graph/ops";
import { type Device, input, open, type ParityReport, parameter, type Session, type Tensor } from "../../src/index";
import { CASES, type Case } from "./cases";
import { type OtherDevice, openOther } from "./other-device";

let device: Device;
beforeAll(async () => {
  device = await open({ backend: "webgpu", route: "recorded" });
});

/**
 * By operation: the result whose error is the largest part of its bound. Subnormals are left out: what they lose when they are flushed
 * to zero is all of their bound.
 */
const largest = new Map<string, { name: string; error: number; bound: number; cases: number }>();

function note({ op, name, inputs }: Case, { rows }: ParityReport): void {
  const known = largest.get(op) ?? { name, error: 0, bound: 0, cases: 0 };
  largest.set(op, known);
  known.cases++;
  const isSubnormal = (x: number) => x !== 0 && Math.abs(x) < 2 ** -126;
  if (Object.values(inputs).some((values) => values.some(isSubnormal))) return;
  for (const { maxError, bound } of rows) {
    if (maxError > 0 && (known.error === 0 || maxError / bound > known.error / known.bound)) {
      Object.assign(known, { name, error: maxError, bound });
    }
  }
}

afterAll(() => {
  console.log(
    `largest error of each operation beside its bound, on ${device.info.description || device.info.vendor}\n${table()}`,
  );
  device.close();
});

function table(): string {
  const rows = [["operation", "cases", "error", "bound", "error/bound", "where"]];
  for (const [op, { name, error, bound, cases }] of [...largest].sort(([a], [b]) => a.localeCompare(b))) {
    const where = name.slice(op.length + 2);
    const numbers =
      error === 0
        ? ["0", "", "", ""]
        : [error.toExponential(2), bound.toExponential(2), (error / bound).toFixed(3), where];
    rows.push([op, String(cases), ...numbers]);
  }
  const widths = (rows[0] as string[]).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] as string).length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

async function verify({ parameters, inputs }: Case, session: Session): Promise<ParityReport> {
  try {
    session.write(parameters);
    const report = await session.verify(inputs);
    expect(report.ok, report.ok ? "" : `${report}\n${session.explain()}`).toBe(true);
    return report;
  } finally {
    session.dispose();
  }
}

describe("every kernel agrees with float64 within the derived bounds", () => {
  for (const each of CASES) {
    test(each.name, async () => note(each, await verify(each, await device.compile(each.program))));
  }
});

// Of most operations a part: a software adapter takes up to a second to compile what is meant for a GPU, or is large.
const sample = (operations: readonly string[], one: number) =>
  CASES.filter(({ op }) => operations.includes(op)).filter((_, i) => i % one === 0);
/** What could hide a NaN in one kernel shows it in another: of these all, or every second. */
const strange = (one: number) =>
  CASES.filter(({ name }) => name.includes("not finite")).filter((_, i) => i % one === 0);
const REDUCTIONS = ["sum", "max", "argmax", "softmax", "logSoftmax"];

describe.each([
  {
    what: "the kernels meant for the other kind of device",
    openIt: () => openOther({ route: "recorded" }),
    cases: [...sample(["matmul"], 3), ...sample([...REDUCTIONS, "parameter"], 1)],
  },
  {
    what: "the products of a software adapter without subgroups",
    openIt: () => openOther({ route: "recorded", software: true, subgroupSize: 0 }),
    cases: sample(["matmul"], 3),
  },
  {
    what: "programs that run whole in one workgroup",
    openIt: () => open({ backend: "webgpu", route: "persistent" }),
    cases: [...new Set([...sample(Object.keys(OPS), 10), ...sample(REDUCTIONS, 3), ...strange(1)])],
  },
  {
    what: "programs that run whole in one workgroup of the other kind of device",
    openIt: () => openOther({ route: "persistent", maxWorkgroupSize: 64 }),
    cases: [...new Set([...sample(["matmul"], 20), ...sample(REDUCTIONS, 4), ...strange(2)])],
  },
])("so do $what", ({ openIt, cases }) => {
  let other: Pick<OtherDevice, "compile" | "close">;
  beforeAll(async () => {
    other = await openIt();
  });
  afterAll(() => other.close());

  for (const each of cases) {
    test(each.name, async () => void (await verify(each, await other.compile(each.program))));
  }
});

test.each(Object.keys(OPS))("%s has a case", (op) => {
  expect(CASES.filter((each) => each.op === op).length).toBeGreaterThan(0);
});

describe("more than 65,535 workgroups, where every element is exact", () => {
  /** `y` of one run. */
  async function result(
    tensors: Record<string, Tensor>,
    inputs: Record<string, Float32Array>,
    y: Tensor,
  ): Promise<Float32Array> {
    const session = await device.compile({ inputs: tensors, parameters: {}, outputs: { y } });
    try {
      return (await session.run(inputs)).y as Float32Array;
    } finally {
      session.dispose();
    }
  }
  /** The first element that is not as expected; -1 where all are. */
  function firstWrong(got: Float32Array, expected: (i: number) => number): number {
    for (let i = 0; i < got.length; i++) if (got[i] !== expected(i)) return i;
    return -1;
  }

  test("65,536 · 256 + 3 elements of a relu", async () => {
    const x = input([65_536 * 256 + 3]);
    const values = new Float32Array(65_536 * 256 + 3);
    for (let i = 0; i < values.length; i++) values[i] = i % 3 === 0 ? -i : i;
    const got = await result({ x }, { x: values }, x.relu());
    expect(got.length).toBe(values.length);
    expect(firstWrong(got, (i) => Math.max(values[i] as number, 0))).toBe(-1);
  });

  test("4,400,003 rows that are summed", async () => {
    const rows = 4_400_003;
    const x = input([rows, 2]);
    const values = new Float32Array(2 * rows);
    for (let i = 0; i < values.length; i++) values[i] = i % 1_000_003;
    const got = await result({ x }, { x: values }, x.sum(1));
    expect(got.length).toBe(rows);
    expect(firstWrong(got, (i) => (values[2 * i] as number) + (values[2 * i + 1] as number))).toBe(-1);
  });

  test("4,400,003 rows whose sums are summed, for an update", async () => {
    const rows = 4_400_003;
    const [x, w] = [input([rows, 2]), parameter([])];
    const y = x.sum(1).square();
    const program = { inputs: { x }, parameters: { w }, outputs: { y }, updates: { w: w.add(y.sum()) } };
    const session = await device.compile(program);
    try {
      await session.run({ x: Float32Array.from({ length: 2 * rows }, (_, i) => i % 2) });
      expect(await session.read("w")).toEqual(Float32Array.of(rows));
    } finally {
      session.dispose();
    }
  });

  test("a product with 4,099 · 4,099 elements", async () => {
    const [a, b] = [input([4099, 1]), input([1, 4099])];
    const [rows, columns] = [
      Float32Array.from({ length: 4099 }, (_, i) => i),
      Float32Array.from({ length: 4099 }, (_, i) => i - 2000),
    ];
    const got = await result({ a, b }, { a: rows, b: columns }, a.matmul(b));
    const product = (i: number) => (rows[Math.floor(i / 4099)] as number) * (columns[i % 4099] as number);
    expect(firstWrong(got, (i) => product(i) + 0)).toBe(-1);
  });
});

test("all sessions gone, the device holds nothing", () => {
  expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
});
