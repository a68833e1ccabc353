import { expect, test } from "vitest";
import type { Operand, ShapeError, Tensor } from "../../src/index";

/** What a caller without types may pass. */
export const wrong = (value: unknown) => value as Operand & Tensor & number & number[];

type Row = [
  name: string,
  call: () => unknown,
  error: typeof ShapeError | typeof TypeError | typeof RangeError,
  message: string,
];

/** Each call throws this error with this message. */
export function holds(rows: Row[]): void {
  for (const [name, call, error, message] of rows) {
    test(name, () => {
      let thrown: unknown;
      try {
        call();
      } catch (caught) {
        thrown = caught;
      }
      expect(thrown).toBeInstanceOf(error);
      expect((thrown as Error).message).toBe(message);
    });
  }
}
