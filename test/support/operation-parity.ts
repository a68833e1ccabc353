import type { ParityReport } from "../../src/index";
import type { Case } from "../kernels/cases";

/** Of one case of an operation, the result whose error is the largest part of its bound. */
export interface Parity {
  op: string;
  /** The case, without its operation. */
  where: string;
  error: number;
  bound: number;
}

/** Subnormals count as no error: what they lose when they are flushed to zero is all of their bound. */
export function parityOf({ op, name, inputs }: Case, { rows }: ParityReport): Parity {
  const found: Parity = { op, where: name.slice(op.length + 2), error: 0, bound: 0 };
  const isSubnormal = (x: number) => x !== 0 && Math.abs(x) < 2 ** -126;
  if (Object.values(inputs).some((values) => values.some(isSubnormal))) return found;
  for (const { maxError, bound } of rows) {
    if (maxError === 0 || (found.error > 0 && maxError / bound <= found.error / found.bound)) continue;
    Object.assign(found, { error: maxError, bound });
  }
  return found;
}
