import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import { attended, UNSEEN } from "../../graph/attention";
import type { Tensor } from "../../graph/tensor";
import { checkCount, checkFlag, checkFraction, checkOptions } from "../../util/checks";
import { ShapeError } from "../../util/errors";
import { formatShape, type Shape } from "../../util/shape";
import { INITIALIZERS } from "../initializers";
import { dropped } from "./dropout";
import { type Held, type Layer, Part, type Pass } from "./layer";

class MultiHeadAttention extends Part {
  static override readonly name = "Layer";
  readonly name = "multiHeadAttention";

  constructor(
    readonly heads: number,
    readonly causal: boolean,
    readonly dropout: number,
  ) {
    super();
  }

  override get told(): string {
    return `${this.heads} ${this.causal ? "causal " : ""}head${this.heads === 1 ? "" : "s"} of attention`;
  }

  override output(inputs: Shape): Shape {
    if (inputs.length !== 2)
      throw new ShapeError(`multiHeadAttention takes [T, features], and is given ${formatShape(inputs)}.`);
    if ((inputs[1] as number) % this.heads !== 0) {
      throw new ShapeError(
        `multiHeadAttention: ${inputs[1]} features in ${this.heads} heads; the number of heads must divide them.`,
      );
    }
    return inputs;
  }

  override held(inputs: Shape): Record<string, Held> {
    const width = inputs[1] as number;
    const uniform =
      (units: number): Held["first"] =>
      (random) =>
        INITIALIZERS.glorotUniform(random, width, units, units * width);
    const zeros = (count: number): Held => ({ shape: [count], first: () => new Float32Array(count) });
    return {
      in_proj_weight: { shape: [3 * width, width], first: uniform(3 * width) },
      in_proj_bias: zeros(3 * width),
      "out_proj.weight": { shape: [width, width], first: uniform(width) },
      "out_proj.bias": zeros(width),
    };
  }

  apply(x: Tensor, held: Record<string, Tensor>, pass: Pass): Tensor {
    const { heads, causal, dropout } = this;
    const [rows, T, width] = x.shape as readonly [number, number, number];
    const linear = (of: Tensor, weight: string, bias: string) =>
      of.matmul((held[weight] as Tensor).T).add(held[bias] as Tensor);
    const all = linear(x, "in_proj_weight", "in_proj_bias")
      .reshape([rows, T, 3, heads, width / heads])
      .permute([2, 0, 3, 1, 4]);
    const [q, k, v] = [0, 1, 2].map((i) => all.slice(0, i, i + 1).reshape([rows, heads, T, width / heads])) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const seen = attended(q, k, v, { causal }, (shares) => (pass.training ? dropped(shares, dropout, pass) : shares));
    return linear(seen.permute([0, 2, 1, 3]).reshape([rows, T, width]), "out_proj.weight", "out_proj.bias");
  }

  onnx(to: OnnxNodes, x: string, own: (name: string) => string, inputs: Shape): string {
    const { heads, causal } = this;
    const [T, width] = inputs as readonly [number, number];
    const whole = (name: string, ...values: number[]) => to.constant(name, BigInt64Array.from(values, BigInt));
    const linear = (of: string, weight: string, bias: string) =>
      to.node("Add", [to.node("MatMul", [of, to.node("Transpose", [own(weight)], { perm: [1, 0] })]), own(bias)]);
    const shape = whole("heads", 0, 0, 3, heads, width / heads);
    const all = to.node("Transpose", [to.node("Reshape", [linear(x, "in_proj_weight", "in_proj_bias"), shape])], {
      perm: [2, 0, 3, 1, 4],
    });
    const part = (i: number) =>
      to.node("Gather", [all, to.constant(`part ${i}`, BigInt64Array.of(BigInt(i)), [])], { axis: 0 });
    const keys = to.node("Transpose", [part(1)], { perm: [0, 1, 3, 2] });
    const scale = to.constant("scale", Float32Array.of(1 / Math.sqrt(width / heads)), []);
    let scores = to.node("MatMul", [to.node("Mul", [part(0), scale]), keys]);
    if (causal) {
      const unseen = Float32Array.from({ length: T * T }, (_, i) => (i % T > Math.floor(i / T) ? UNSEEN : 0));
      scores = to.node("Add", [scores, to.constant("unseen", unseen, [T, T])]);
    }
    const seen = to.node("MatMul", [to.node("Softmax", [scores], { axis: -1 }), part(2)]);
    const joined = to.node("Reshape", [
      to.node("Transpose", [seen], { perm: [0, 2, 1, 3] }),
      whole("joined", 0, 0, width),
    ]);
    return linear(joined, "out_proj.weight", "out_proj.bias");
  }

  pytorch(to: TorchModules, inputs: Shape): TorchModule[] {
    const { heads, causal, dropout } = this;
    return [to.own("Attention", [inputs[1] as number, heads], { causal, dropout })];
  }
}

/**
 * Self-attention in `heads` heads: x [rows, T, features] -> [rows, T, features], PyTorch's MultiheadAttention (batch_first) of x by itself,
 * with its names. `causal` lets a position see those up to its own; `dropout` sets shares of attention to 0 in training. Throws RangeError
 * or TypeError for options that make no layer. Source: Vaswani et al. 2017, §3.2.
 */
export function multiHeadAttention(heads: number, options: { causal?: boolean; dropout?: number } = {}): Layer {
  checkOptions("multiHeadAttention", options, ["causal", "dropout"]);
  const { causal = false, dropout = 0 } = options;
  checkCount("multiHeadAttention", "heads", heads);
  checkFlag("multiHeadAttention", "causal", causal);
  checkFraction("multiHeadAttention", "dropout", dropout);
  return new MultiHeadAttention(heads, causal, dropout);
}
