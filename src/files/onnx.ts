/** The entry point `wgrad/files/onnx`. */

export { type ReadOnnxOptions, readOnnx } from "../onnx/read";
export {
  type OnnxColumns,
  type OnnxLayer,
  type OnnxModel,
  type OnnxOptions,
  writeOnnx,
} from "./onnx-write";
