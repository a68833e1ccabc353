import { type Program, type Reference, reference, type Tensor, type Values } from "../../src/index";
import type { Golden } from "../support/golden";
import { expectTensor, finalBounds, inFloat64, storedRounding } from "../support/parity";

export interface Started {
  session: Reference;
  inputs: Record<string, Values>;
}

/** A reference at the golden run's start, and that run's inputs. */
export function started(program: Program, golden: Golden): Started {
  const start = golden.group("init");
  const pick = (tensors: Record<string, Tensor>) =>
    Object.fromEntries(Object.keys(tensors).map((name): [string, Values] => [name, start[name] as Values]));
  const session = reference(program);
  session.write(pick(program.parameters));
  return { session, inputs: pick(program.inputs) };
}

/** What a whole run leaves, against the golden run's end. */
export function expectFinal(session: Reference, golden: Golden): void {
  const bounds = finalBounds(golden);
  for (const [name, want] of Object.entries(golden.group("final"))) {
    const bound = inFloat64(bounds[name] as number) + storedRounding(want);
    expectTensor(`final ${name}`, session.read(name), want, bound);
  }
}
