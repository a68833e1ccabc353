import { input, type Program, type Shape, type Tensor, type Values } from "../../index";

export type Given = readonly [shape: Shape, values: Float32Array | Float64Array | Int32Array | readonly number[]];

/** A program whose one output `y` is built from inputs x0, x1, …, and their values; an Int32Array makes an int32 input. */
export function fed(
  build: (...inputs: Tensor[]) => Tensor,
  ...given: Given[]
): { program: Program; inputs: Record<string, Values> } {
  const tensors = given.map(([shape, values]) => input(shape, values instanceof Int32Array ? "int32" : "float32"));
  const program: Program = {
    inputs: Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor])),
    parameters: {},
    outputs: { y: build(...tensors) },
  };
  return { program, inputs: Object.fromEntries(given.map(([, values], i) => [`x${i}`, values])) };
}
