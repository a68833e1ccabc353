import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OPS } from "../../src/graph/ops";
import { type Device, input, open, type ParityReport, parameter, type Session, type Tensor } from "../../src/index";
import { type Parity, parityOf } from "../support/operation-parity";
import { CASES, type Case } from "./cases";
import { type OtherDevice, openOther } from "./other-device";

let device: Device;
beforeAll(async () => {
  device = await open({ backend: "webgpu", route: "recorded" });
});

afterAll(() => device.close());

declare module "vitest" {
  interface TaskMeta {
    /** For the table that is printed when all have run. */
    parity?: Parity;
  }
}

async function verify(
  { parameters, inputs }: Case,
  session: Session,
  note?: (report: ParityReport) => void,
): Promise<void> {
  try {
    session.write(parameters);
    const report = await session.verify(inputs);
    note?.(report);
    expect(report.ok, report.ok ? "" : `${report}\n${session.explain()}`).toBe(true);
  } finally {
    session.dispose();
  }
}

describe("every kernel agrees with float64 within the derived bounds", () => {
  for (const each of CASES) {
    test(each.name, async ({ task }) => {
      await verify(each, await device.compile(each.program), (report) => {
        task.meta.parity = parityOf(each, report);
      });
    });
  }
});

// Of most operations a part: a software adapter takes up to a second to compile what is meant for a GPU, or is large.
const sample = (operations: readonly string[], one: number) =>
  CASES.filter(({ op }) => operations.includes(op)).filter((_, i) => i % one === 0);
/**
 * What could hide a NaN in one kernel shows it in another: of these all, or every third. But for those whose rows or products, written
 * out in a row loop, take a software adapter a minute to compile.
 */
const strange = (one: number) =>
  CASES.filter(({ name }) => /not finite.*(?<!1100|K 6[45])$/.test(name)).filter((_, i) => i % one === 0);
const REDUCTIONS = ["sum", "max", "prod", "argmax", "softmax", "logSoftmax"];

describe.each([
  {
    what: "the kernels meant for the other kind of device",
    openIt: () => openOther({ route: "recorded" }),
    cases: [...sample(["matmul"], 3), ...sample([...REDUCTIONS, "parameter", "scatterAdd"], 1)],
  },
  {
    what: "scans whose steps need more than workgroup memory, by many threads",
    openIt: () => openOther({ route: "recorded", software: false, maxWorkgroupBytes: 1100 }),
    cases: sample(["scan"], 4),
  },
  {
    what: "the products of a software adapter without subgroups",
    openIt: () => openOther({ route: "recorded", software: true, subgroupSize: 0 }),
    cases: sample(["matmul"], 3),
  },
  {
    what: "programs that run whole in one workgroup",
    openIt: () => open({ backend: "webgpu", route: "persistent" }),
    cases: [
      ...new Set([
        ...sample(Object.keys(OPS), 10),
        ...sample(REDUCTIONS, 3),
        ...sample(["scatterAdd"], 1),
        ...strange(1),
      ]),
    ],
  },
  {
    what: "programs that run whole in one workgroup of the other kind of device",
    openIt: () => openOther({ route: "persistent", maxWorkgroupSize: 64 }),
    cases: [
      ...new Set([...sample(["matmul"], 20), ...sample(REDUCTIONS, 4), ...sample(["scatterAdd"], 3), ...strange(3)]),
    ],
  },
])("so do $what", ({ openIt, cases }) => {
  let other: Pick<OtherDevice, "compile" | "close">;
  beforeAll(async () => {
    other = await openIt();
  });
  afterAll(() => other.close());

  for (const each of cases) {
    test(each.name, async () => verify(each, await other.compile(each.program)));
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
