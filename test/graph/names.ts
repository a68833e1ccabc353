import { expect } from "vitest";
import { type Device, input, type Program, parameter, reference, type Tensor } from "../../src/index";

/** What every object has, and what ends a string, a comment or a line somewhere. */
export const NAMES = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "then",
  "0",
  "",
  "*/ }; //",
  'a "b"\n\0',
  "重み",
  "history",
];

/** `part` by each name; of an object as a user writes it, whose keys are its own. */
const each = <T>(names: readonly string[], part: (k: number) => T): Record<string, T> =>
  Object.fromEntries(names.map((name, k) => [name, part(k)]));
const list = (values: ArrayLike<number> | undefined) => Array.from(values ?? []);

/** Inputs and outputs by these names: output k is input k doubled, or for each third its sum. */
function fed(names: readonly string[]): Program {
  const inputs = each(names, (k) => input([2], k % 2 === 0 ? "float32" : "int32"));
  const outputs = each(names, (k) => {
    const x = (inputs[names[k] as string] as Tensor).toFloat32();
    return k % 3 === 2 ? x.sum() : x.mul(2);
  });
  const count = parameter([]);
  return { inputs, parameters: { " count": count }, outputs, updates: { " count": count.add(1) } };
}

/** Parameters by these names, each counted up by a step. */
function kept(names: readonly string[]): Program {
  const by = input([2]);
  const parameters = each(names, () => parameter([2]));
  const updates = each(names, (k) => (parameters[names[k] as string] as Tensor).add(by));
  return { inputs: { " by": by }, parameters, outputs: { " by of a step": by.sum() }, updates };
}

/** Whatever their names are, values go where they belong: here, against what the programs say. */
export async function checkNames(on: Pick<Device, "compile">, names: readonly string[]): Promise<void> {
  const inputs = each(names, (k) => [k + 1, -k]);
  const wanted = each(names, (k) => (k % 3 === 2 ? [1] : [2 * (k + 1), -2 * k]));
  const session = await on.compile(fed(names));
  try {
    const got = await session.run(inputs);
    expect(Object.keys(got).sort()).toEqual([...names].sort());
    for (const name of names) {
      const results = [Object.hasOwn(got, name), list(got[name]).map(norm), list(await session.read(name)).map(norm)];
      expect(results, name).toEqual([true, wanted[name]?.map(norm), wanted[name]?.map(norm)]);
    }
    await checkReports(session, inputs, names.length + 1);
    await expect(session.run({})).rejects.toThrow("is missing");
    await expect(session.read("isPrototypeOf")).rejects.toThrow('read: there is no "isPrototypeOf"');
  } finally {
    session.dispose();
  }

  const start = each(names, (k) => [k, 2 * k]);
  const state = await on.compile(kept(names));
  try {
    state.write(start);
    for (const [k, name] of names.entries()) expect(list(await state.read(name)), name).toEqual([k, 2 * k]);
    await checkReports(state, { " by": [1, 10] }, names.length + 1);
    await state.run({ " by": [1, 10] }, { steps: 3 });
    for (const [k, name] of names.entries()) expect(list(await state.read(name)), name).toEqual([k + 3, 2 * k + 30]);
  } finally {
    state.dispose();
  }
}

async function checkReports(
  session: Awaited<ReturnType<Device["compile"]>>,
  inputs: Record<string, number[]>,
  rows: number,
): Promise<void> {
  const report = await session.verify(inputs);
  expect([report.ok, report.rows.length]).toEqual([true, rows]);
  expect((await session.profile(inputs)).length).toBeGreaterThan(0);
  expect(session.explain()).toContain("route: ");
}

/** -0 is 0. */
const norm = (value: number) => value + 0;

/** The same of the reference, which is no session. */
export function checkReference(names: readonly string[]): void {
  const program = fed(names);
  const got = reference(program).run(each(names, (k) => [k + 1, -k]));
  for (const [k, name] of names.entries()) {
    const wanted = k % 3 === 2 ? [1] : [2 * (k + 1), -2 * k];
    expect([Object.hasOwn(got, name), list(got[name]).map(norm)], name).toEqual([true, wanted.map(norm)]);
  }
  const state = reference(kept(names));
  state.write(each(names, (k) => [k, 2 * k]));
  state.run({ " by": [1, 10] }, { steps: 3 });
  for (const [k, name] of names.entries()) expect(list(state.read(name)), name).toEqual([k + 3, 2 * k + 30]);
}
