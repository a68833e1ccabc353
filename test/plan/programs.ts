import { grad, input, type Program, parameter, type Tensor } from "../../src/index";
import { tiledKernel } from "../../src/kernels/matmul";
import { directKernel } from "../../src/kernels/product";
import { subgroupKernel } from "../../src/kernels/subgroup";
import type { Makers } from "../../src/plan/compile";
import { hardwareDefault } from "../../src/plan/hardware-tiling";
import { lowerRows } from "../../src/plan/lower-rows";
import { lowerScan } from "../../src/plan/lower-scan";
import { lowerPersistent } from "../../src/plan/persistent";
import type { Target } from "../../src/plan/plan";
import { ridersOf } from "../../src/plan/riders";
import { chooseRoute } from "../../src/plan/route";
import { writeScan } from "../../src/plan/scan-part";
import * as scatter from "../../src/plan/scatter";
import { softwareDefault } from "../../src/plan/software-tiling";

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
export function makersOf({ software }: Target, route?: "recorded"): Makers {
  const products = { direct: directKernel, subgroup: subgroupKernel, tiled: tiledKernel };
  const defaults = software ? { tiling: softwareDefault, ridersOf: null } : { tiling: hardwareDefault, ridersOf };
  return {
    ...defaults,
    products,
    rows: lowerRows,
    scatter,
    scan: { lowerScan, writeScan },
    whole: route ? null : { lowerPersistent, chooseRoute },
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
