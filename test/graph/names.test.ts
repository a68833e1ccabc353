import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Device, open } from "../../src/index";
import { ReferenceRunner } from "../../src/reference-runner";
import { Session } from "../../src/session";
import { checkNames, checkReference, NAMES } from "./names";

let device: Device;
beforeAll(async () => {
  device = await open({ backend: "cpu" });
});
afterAll(() => device.close());

/** A session behind which the float64 reference runs, as where WebAssembly has no SIMD. */
const plain: Pick<Device, "compile"> = {
  compile: async (program) => new Session(program, new ReferenceRunner(program), { throwIfGone() {}, disposed() {} }),
};

test("what every object has may name inputs, parameters, outputs and updates: the reference", () => {
  checkReference(NAMES);
});

test("the same in WebAssembly", () => checkNames(device, NAMES));
test("the same where there is no SIMD", () => checkNames(plain, NAMES));

test("and so may any text", async () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(...Object.getOwnPropertyNames(Object.prototype)),
  );
  const names = fc.uniqueArray(
    text.filter((name) => !name.startsWith(" ") && name !== "isPrototypeOf"),
    { minLength: 1, maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(names, async (some) => {
      checkReference(some);
      await checkNames(device, some);
      await checkNames(plain, some);
    }),
    { numRuns: 40, seed: 4 },
  );
  expect(device.memory().bytes).toBe(0);
});
