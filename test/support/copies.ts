import { expect } from "vitest";
import {
  constant,
  type Device,
  grad,
  input,
  type Program,
  parameter,
  random,
  type Session,
  scan,
  type Tensor,
  type Values,
} from "../../src/index";
import { normal } from "../graph/numbers";

/**
 * A training step with something of everything: products of odd and of whole sizes, reductions, a chain, random bits, a scan, a scatter, a
 * constant, a shared input, inputs that each copy has for itself, an update in place and one aside, outputs that are no scalars.
 */
export function everything(): Program {
  const [rows, features, hidden] = [6, 5, 8];
  const x = input([rows, features]);
  const [seed, rate] = [input([1], "int32"), input([])];
  const indices = input([rows], "int32");
  const parameters = {
    w: parameter([features, hidden]),
    v: parameter([hidden, 3]),
    b: parameter([3]),
    table: parameter([4, 3]),
    before: parameter([features, hidden]),
  };
  const kept = random([rows, hidden], seed, 7).ge(0.25);
  const values = x.matmul(parameters.w).relu().mask(kept).matmul(parameters.v).add(parameters.b);
  const { ys } = scan(
    ({ h }, each) => {
      const next = (h as Tensor).mul(0.5).add(each).tanh();
      return { carry: { h: next }, y: next };
    },
    { h: parameters.b },
    values,
  );
  const rowSums = ys.add(parameters.table.take(indices)).mul(constant([1, 2, 0.5, 1, 3, 1], [6, 1]));
  const loss = rowSums.square().mean();
  const named = ["w", "v", "b", "table"] as const;
  const gradients = grad(
    loss,
    named.map((name) => parameters[name]),
  );
  const updates = Object.fromEntries(
    named.map((name, i) => [name, parameters[name].sub((gradients[i] as Tensor).mul(rate))]),
  );
  return {
    inputs: { x, seed, rate, indices },
    parameters,
    outputs: { loss, largest: ys.max(), softened: values.softmax(1), sums: rowSums.sum(0) },
    updates: { ...updates, before: parameters.w },
  };
}

export const OWN = ["seed", "rate"];

/** A program, its inputs that all copies share, and those that copy `copy` has for itself. */
export interface Trained {
  readonly program: Program;
  readonly shared: Record<string, Values>;
  ownOf(copy: number): Record<string, Values>;
}

const EVERYTHING: Trained = {
  program: everything(),
  shared: { x: normal(30, 3), indices: [3, 0, 0, 2, 3, 1] },
  ownOf: (copy) => ({ seed: [copy + 1], rate: [0.01 * (copy + 1)] }),
};

/** What copy `copy` begins with. */
function stateOf(program: Program, copy: number): Record<string, Values> {
  return Object.fromEntries(
    Object.entries(program.parameters).map(([name, { shape }], i) => [
      name,
      normal(
        shape.reduce((size, length) => size * length, 1),
        100 * copy + i,
      ),
    ]),
  );
}

function joined(each: readonly Record<string, Values>[]): Record<string, Values> {
  return Object.fromEntries(
    Object.keys(each[0] ?? {}).map((name) => [name, each.flatMap((values) => [...(values[name] as Values)])]),
  );
}

const RUN = { steps: 7, every: 3 };

/** Holds copies to the program alone, bit by bit: histories, outputs, parameters, over two runs. */
export async function expectBitsOfOneAlone(
  device: Pick<Device, "compile">,
  copies: number,
  { program, shared, ownOf }: Trained = EVERYTHING,
): Promise<void> {
  const each = Array.from({ length: copies }, (_, copy) => ({ state: stateOf(program, copy), own: ownOf(copy) }));
  const session = await device.compile(program, { copies, own: Object.keys(ownOf(0)) });
  const one = await device.compile(program);
  try {
    session.write(joined(each.map(({ state }) => state)));
    const inputs = { ...shared, ...joined(each.map(({ own }) => own)) };
    const got = [await session.run(inputs, RUN), await session.run(inputs, RUN)];
    const state = await parametersOf(program, session);
    for (const [copy, { state: begin, own }] of each.entries()) {
      one.write(begin);
      for (const results of got) {
        const alone = await one.run({ ...shared, ...own }, RUN);
        for (const [name, values] of Object.entries(alone))
          expect(bits(part(results[name], copy, copies)), `${name} of copy ${copy}`).toEqual(bits(values));
      }
      for (const [name, values] of Object.entries(await parametersOf(program, one)))
        expect(bits(part(state[name], copy, copies)), `${name} of copy ${copy}`).toEqual(bits(values));
      const last = await one.read("loss");
      expect(bits(part(await session.read("loss"), copy, copies))).toEqual(bits(last));
    }
  } finally {
    session.dispose();
    one.dispose();
  }
}

async function parametersOf(program: Program, session: Session): Promise<Record<string, Float32Array>> {
  const names = Object.keys(program.parameters);
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await session.read(name)] as const)));
}

/** One step of copies against float64, which leaves them as they were. */
export async function expectParity(device: Device, copies: number): Promise<void> {
  const { program, shared, ownOf } = EVERYTHING;
  const each = Array.from({ length: copies }, (_, copy) => ({ state: stateOf(program, copy), own: ownOf(copy) }));
  const session = await device.compile(program, { copies, own: OWN });
  try {
    session.write(joined(each.map(({ state }) => state)));
    const report = await session.verify({ ...shared, ...joined(each.map(({ own }) => own)) });
    expect(report.ok, report.toString()).toBe(true);
    expect(report.copies?.[0]).toBe(0);
    expect(report.copies?.[report.copies.length - 1]).toBe(copies - 1);
    expect(report.toString()).toContain("judged: copies 0, ");
    expect(await session.read("v")).toEqual(Float32Array.from(each.flatMap(({ state }) => [...(state.v as Values)])));
  } finally {
    session.dispose();
  }
}

function part(values: Float32Array | undefined, copy: number, copies: number): Float32Array {
  const size = (values?.length ?? 0) / copies;
  return (values ?? new Float32Array()).slice(copy * size, (copy + 1) * size);
}

function bits(values: Float32Array): number[] {
  return [...new Uint32Array(values.slice().buffer)];
}
