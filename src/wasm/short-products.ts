import type { Tensor } from "../graph/tensor";
import { type ContractionGroup, type MatrixOperand, productOf } from "../plan/group";
import type { Root } from "./elementwise";
import { LANE_BYTES } from "./lane";
import type { Matrix, Product } from "./packing";
import type { Value } from "./scope";

/** Up to so many terms a product's element is computed where it is used. */
const MAX_TERMS = 8;

/** Where a product's operands lie: those in memory, and the copies of those that are read through a view. */
export interface Addresses {
  addressOf(tensor: Tensor): number;
  /** Of the left operand's copy, row by row. */
  readonly left: number;
}

/** The product of a contraction, without addresses where they are not known yet. */
export function matricesOf(
  group: ContractionGroup,
  { addressOf, left }: Addresses = { addressOf: () => 0, left: 0 },
): Product & { c: 0; packed: 0 } {
  const { a, b, batch, M, N, K } = productOf(group);
  const matrix = (operand: MatrixOperand, rows: number, columns: number): Matrix => {
    const [transposed, repeated] = operand.kind === "plain" ? [operand.transposed, operand.repeated] : [false, true];
    return {
      address: operand.kind === "plain" ? addressOf(operand.tensor) : left,
      batchBytes: repeated || batch === 1 ? 0 : LANE_BYTES * rows * columns,
      rowBytes: LANE_BYTES * (transposed ? 1 : columns),
      columnBytes: LANE_BYTES * (transposed ? rows : 1),
    };
  };
  return { batch, M, N, K, a: matrix(a, M, K), b: matrix(b, K, N), c: 0, packed: 0 };
}

/** Whether a product has so few terms that its elements are expressions like others. */
export function asShort(group: ContractionGroup): boolean {
  const { a, b, K } = productOf(group);
  return a.kind === "plain" && b.kind === "plain" && K <= MAX_TERMS && group.size <= 2 ** 20;
}

export function shortRoot({ root: node }: ContractionGroup, { batch, M, N, K, a, b }: Product): Root {
  return {
    node,
    accesses: [],
    value: (values, { axes }) => {
      const along = (matrix: number, row: number, column: number) =>
        axes.strides({
          shape: [batch, M, N],
          strides: [matrix, row, column].map((bytes) => bytes / LANE_BYTES),
        }) as readonly number[];
      const [left, right] = [along(a.batchBytes, a.rowBytes, 0), along(b.batchBytes, 0, b.columnBytes)];
      let sum: Value | null = null;
      for (let k = 0; k < K; k++) {
        sum = values.dot(
          sum,
          values.at(a.address + k * a.columnBytes, left),
          values.at(b.address + k * b.rowBytes, right),
        );
      }
      return sum as Value;
    },
  };
}
