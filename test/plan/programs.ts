import { grad, input, type Program, parameter, type Tensor } from "../../src/index";
import { directKernel } from "../../src/kernels/matmul-direct";
import { subgroupKernel } from "../../src/kernels/matmul-subgroup";
import { tiledKernel } from "../../src/kernels/matmul-tiled";
import { columnSumsOf } from "../../src/webgpu/codegen/column-sums";
import type { KernelSet } from "../../src/webgpu/codegen/compile";
import { hardwareDefault } from "../../src/webgpu/codegen/hardware-tiling";
import { lowerRows } from "../../src/webgpu/codegen/lower-reduction";
import { lowerScan } from "../../src/webgpu/codegen/lower-scan";
import * as scatter from "../../src/webgpu/codegen/lower-scatter";
import { lowerPersistent } from "../../src/webgpu/codegen/persistent";
import type { Target } from "../../src/webgpu/codegen/plan";
import { chooseRoute } from "../../src/webgpu/codegen/route";
import { writeScan } from "../../src/webgpu/codegen/scan-part";
import { softwareDefault } from "../../src/webgpu/codegen/software-tiling";

/** A large GPU, as far as a plan knows. */
export const HARDWARE: Target = {
  software: false,
  maxStorageBuffers: 10,
  maxBindingBytes: 2 ** 30,
  maxWorkgroupSize: 256,
  maxWorkgroupBytes: 32768,
  subgroupSize: 0,
  immediates: false,
};
export const SOFTWARE: Target = { ...HARDWARE, software: true };

/** What plans for a target, with everything at hand. */
export function makersOf({ software }: Target, route?: "recorded"): KernelSet {
  const products = { direct: directKernel, subgroup: subgroupKernel, tiled: tiledKernel };
  const defaults = software
    ? { tiling: softwareDefault, columnSumsOf: null }
    : { tiling: hardwareDefault, columnSumsOf };
  return {
    ...defaults,
    products,
    rows: lowerRows,
    scatter,
    scan: { lowerScan, writeScan },
    persistent: route ? null : { lowerPersistent, chooseRoute },
  };
}

/** seed-000's step: two products, ReLU, sum of squares, gradient descent. */
export function twoLayer(rows = 64, inputs = 1000, hidden = 100, outputs = 10): Program {
  const x = input([rows, inputs]);
  const y = input([rows, outputs]);
  const w1 = parameter([inputs, hidden]);
  const w2 = parameter([hidden, outputs]);
  const loss = x.matmul(w1).relu().matmul(w2).sub(y).square().sum();
  return { inputs: { x, y }, parameters: { w1, w2 }, outputs: { loss }, updates: descent(loss, { w1, w2 }, 1e-6) };
}

/** A classifier with biases and softmax cross entropy. */
export function classifier(rows: number, inputs: number, hidden: number, classes: number): Program {
  const x = input([rows, inputs]);
  const labels = input([rows], "int32");
  const w1 = parameter([inputs, hidden]);
  const b1 = parameter([hidden]);
  const w2 = parameter([hidden, classes]);
  const b2 = parameter([classes]);
  const scores = x.matmul(w1).add(b1).relu().matmul(w2).add(b2);
  const loss = scores
    .logSoftmax()
    .mul(labels.oneHot(classes))
    .sum()
    .mul(-1 / rows);
  const parameters = { w1, b1, w2, b2 };
  return { inputs: { x, labels }, parameters, outputs: { loss, scores }, updates: descent(loss, parameters, 0.1) };
}

export function descent(loss: Tensor, parameters: Record<string, Tensor>, rate: number): Record<string, Tensor> {
  const gradients = grad(loss, Object.values(parameters));
  return Object.fromEntries(
    Object.entries(parameters).map(([name, tensor], i) => [name, tensor.sub((gradients[i] as Tensor).mul(rate))]),
  );
}
