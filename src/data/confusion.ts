import { checkCount, isNumbers, shown } from "../util/checks";
import { ShapeError } from "../util/errors";

/** What `confusionMatrix` gives, by class. */
export interface Confusion {
  /** [actual, predicted]. */
  readonly counts: number[][];
  /** Of what was predicted as the class, how much is of it; 0 where nothing was, as scikit-learn has it. */
  readonly precision: number[];
  /** Of what is of the class, how much was predicted so; 0 where nothing is. */
  readonly recall: number[];
  /** 2 precision recall / (precision + recall); 0 where both are. */
  readonly f1: number[];
}

/**
 * How often a class was predicted as which, and precision, recall and F1 of each. Both arrays have classes from 0 to `classes` - 1, one a
 * row. Throws ShapeError, TypeError or RangeError. Source: Manning et al. 2008, §8.3.
 */
export function confusionMatrix(actual: ArrayLike<number>, predicted: ArrayLike<number>, classes: number): Confusion {
  checkCount("confusionMatrix", "classes", classes);
  for (const [name, values] of Object.entries({ actual, predicted })) {
    if (!isNumbers(values))
      throw new TypeError(`confusionMatrix: ${name} is ${shown(values)}; it must be an array of classes.`);
  }
  if (actual.length !== predicted.length)
    throw new ShapeError(
      `confusionMatrix: there are ${actual.length} actual and ${predicted.length} predicted classes; one each a row.`,
    );
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  const rowOf = (name: string, values: ArrayLike<number>, i: number): number => {
    const value: unknown = values[i];
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < classes) return value;
    throw new RangeError(
      `confusionMatrix: ${name} has ${shown(value)} in row ${i}; classes are from 0 to ${classes - 1}.`,
    );
  };
  for (let i = 0; i < actual.length; i++) {
    const row = counts[rowOf("actual", actual, i)] as number[];
    const column = rowOf("predicted", predicted, i);
    row[column] = (row[column] as number) + 1;
  }
  const share = (part: number, of: number) => (of === 0 ? 0 : part / of);
  const each = (of: (hits: number, is: number, said: number) => number) =>
    counts.map((row, k) => {
      const is = row.reduce((sum, count) => sum + count, 0);
      const said = counts.reduce((sum, other) => sum + (other[k] as number), 0);
      return of(row[k] as number, is, said);
    });
  return {
    counts,
    precision: each((hits, _, said) => share(hits, said)),
    recall: each((hits, is) => share(hits, is)),
    f1: each((hits, is, said) => share(2 * hits, is + said)),
  };
}
