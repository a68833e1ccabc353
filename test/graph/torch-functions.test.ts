import { expect, test } from "vitest";
import { open, reference } from "../../src/index";
import { expected, FUNCTIONS, readFunctions } from "../support/torch-functions";

const golden = await readFunctions();

/** The largest error, in units of the largest value but at least 1. */
function off(got: ArrayLike<number> | undefined, want: ArrayLike<number>): number {
  expect(got?.length).toBe(want.length);
  const scale = Math.max(1, ...Array.from(want, Math.abs));
  return Math.max(...Array.from(want, (value, i) => Math.abs((got?.[i] as number) - value))) / scale;
}

test("every function of the golden file is tried", () => {
  expect(Object.keys(golden.group("value")).sort()).toEqual(Object.keys(FUNCTIONS).sort());
});

test.each(Object.keys(FUNCTIONS))("%s and its derivative are PyTorch's, in float64", (name) => {
  const { program, inputs, value, derivative, shape } = expected(golden, name);
  expect(program.outputs.value?.shape).toEqual(shape);
  const outputs = reference(program).run(inputs);
  expect(off(outputs.value, value)).toBeLessThan(1e-13);
  if (derivative) expect(off(outputs.derivative, derivative)).toBeLessThan(1e-12);
});

test("and on the CPU within their bounds", async () => {
  const device = await open({ backend: "cpu" });
  for (const name of Object.keys(FUNCTIONS)) {
    const { program, inputs } = expected(golden, name);
    const session = await device.compile(program);
    const report = await session.verify(inputs);
    expect(report.ok, `${name}\n${report}`).toBe(true);
    session.dispose();
  }
  device.close();
});
