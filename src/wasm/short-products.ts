import type { Tensor } from "../graph/tensor";
import type { Group } from "../plan/group";
import type { Root } from "./elementwise";
import type { Product } from "./packing";
import type { Value } from "./scope";

/** Up to so many terms a product's element is computed where it is used. */
const MAX_TERMS = 8;

/** The product that a kernel begins with, or null; without addresses where they are not known yet. */
export function productOf(
  { root, a, b }: Group,
  addressOf: (tensor: Tensor) => number = () => 0,
): (Product & { c: 0; packed: 0 }) | null {
  if (root === null || a === null || b === null) return null;
  const [M, N] = root.shape as readonly [number, number];
  const K = (root.operands[0] as Tensor).shape[1] as number;
  const matrix = (address: number, rows: number, columns: number, transposed: boolean) => ({
    address,
    rowBytes: 4 * (transposed ? 1 : columns),
    columnBytes: 4 * (transposed ? rows : 1),
  });
  return {
    M,
    N,
    K,
    a: matrix(addressOf(a.tensor), M, K, a.transposed),
    b: matrix(addressOf(b.tensor), K, N, b.transposed),
    c: 0,
    packed: 0,
  };
}

/** Whether a product has so few terms that its elements are expressions like others. */
export function asShort(group: Group): boolean {
  const product = productOf(group);
  return product !== null && product.K <= MAX_TERMS && product.N * product.M <= 2 ** 20;
}

export function shortRoot(group: Group, { M, N, K, a, b }: Product): Root {
  const node = group.root as Tensor;
  return {
    node,
    accesses: [],
    value: (values, { axes }) => {
      const along = (row: number, column: number) =>
        axes.strides({ shape: [M, N], strides: [row / 4, column / 4] }) as readonly number[];
      const [left, right] = [along(a.rowBytes, 0), along(0, b.columnBytes)];
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
    store: true,
  };
}
