import { readOnnx } from "../../src/files/onnx";
import { type Program, squaredError } from "../../src/index";
import { Criterion } from "../../src/nn/losses";
import { Sequential } from "../../src/nn/model";
import { predictionProgram } from "../../src/nn/programs";
import { bytes } from "./golden";

/** Networks that PyTorch exported, narrow: test/golden/torch-network-NAME.onnx, and torch-networks.safetensors for what they make. */
export const TORCH_NETWORKS = [
  "mobilenet",
  "squeezenet",
  "resnet18",
  "densenet",
  "shufflenet",
  "efficientnet",
] as const;

export function torchNetwork(name: string): Promise<Uint8Array> {
  return bytes(new URL(/* @vite-ignore */ `../golden/torch-network-${name}.onnx`, import.meta.url));
}

/** The prediction of a file's network as a program, and what it holds. */
export function predictionOf(
  file: Uint8Array,
  rows: number,
): { program: Program; weights: Record<string, Float32Array> } {
  const [model, loss] = [readOnnx(file), squaredError()];
  if (!(model instanceof Sequential) || !(loss instanceof Criterion)) throw new Error("they are of another copy");
  return { program: predictionProgram(model, loss, rows), weights: model.initial() };
}
