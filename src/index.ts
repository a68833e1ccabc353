export { type Reference, reference } from "./cpu/reference";
export { grad } from "./graph/autodiff";
export type { DType } from "./graph/ops";
export type { Program, Values } from "./graph/program";
export { constant, input, type Operand, parameter, Tensor } from "./graph/tensor";
export { DeviceError, FormatError, ShapeError } from "./util/errors";
export type { Shape } from "./util/shape";
