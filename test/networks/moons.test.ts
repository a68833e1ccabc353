import { describe, test } from "vitest";
import type { Reference, Values } from "../../src/index";
import { readGolden } from "../support/golden";
import { expectClose, inFloat64, lossBounds } from "../support/parity";
import { expectFinal, started } from "./reference-runs";
import { moons } from "./seeds";

// A file of its own, so that these 40,000 passes run beside those of seeds.test.ts.
describe("the float64 reference against NumPy's float64", () => {
  // The seed program forks between passes 1,000 and 3,000 in any arithmetic that sums otherwise (parity.md): two printed
  // losses are held to 1e-9, the third lies inside the stretch, the others end in one valley or the other.
  test("seed-004: the printed losses as far as the path is determined", async () => {
    const golden = await readGolden("seed-004");
    const { session, inputs } = started(moons("handwritten", 3).program, golden);
    const loss = printedLosses(session, inputs, 20);
    const bounds = [1e-9, 1e-9, 0.1, ...new Array<number>(17).fill(0.015)];
    expectClose("printed loss", loss, golden.values("losses"), bounds);
  });

  test("seed-004 with one hidden neuron: to its end", async () => {
    const golden = await readGolden("seed-004-h1");
    const { session, inputs } = started(moons("handwritten", 1).program, golden);
    const loss = printedLosses(session, inputs, 20);
    expectClose("printed loss", loss, golden.values("losses"), lossBounds(golden).map(inFloat64));
    session.run(inputs, { steps: 998 }); // 20,000 passes in all
    expectFinal(session, golden);
  });

  // Step for step the two forms agree (seeds.test.ts), so that one of them is taken to the end.
  test("seed-004 with one hidden neuron, by grad(): 2,000 passes", async () => {
    const golden = await readGolden("seed-004-h1");
    const { session, inputs } = started(moons("grad", 1).program, golden);
    const loss = printedLosses(session, inputs, 3);
    expectClose("printed loss", loss, golden.values("losses").subarray(0, 3), lossBounds(golden).map(inFloat64));
  });
});

/** The loss after passes 0, 1000, 2000, …, which is the loss before steps 1, 1001, 2001, …. */
function printedLosses(session: Reference, inputs: Record<string, Values>, records: number): Float64Array {
  session.run(inputs);
  return session.run(inputs, { steps: 1000 * (records - 1) + 1, every: 1000 }).loss as Float64Array;
}
