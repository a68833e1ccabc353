import type { OnnxAttribute, OnnxNodes } from "./nodes";
import { type EncodedTensor, type OnnxNode, type OnnxTensor, OPERATOR_SET } from "./onnx-messages";

/** ONNX operators of activations that are one node, with what is not ONNX's default. */
const OPERATORS: Readonly<Record<string, readonly [string, Record<string, OnnxAttribute>?]>> = {
  relu: ["Relu"],
  tanh: ["Tanh"],
  sigmoid: ["Sigmoid"],
  softplus: ["Softplus"],
  elu: ["Elu"],
  leakyRelu: ["LeakyRelu"],
};
export const ACTIVATIONS: readonly string[] = [...Object.keys(OPERATORS), "gelu", "silu", "linear"];

/** The nodes and initializers of a file as they are added. */
export class Graph implements OnnxNodes {
  readonly nodes: OnnxNode[] = [];
  readonly tensors: (OnnxTensor | EncodedTensor)[] = [];
  operatorSet = OPERATOR_SET;

  needs(operatorSet: number): void {
    this.operatorSet = Math.max(this.operatorSet, operatorSet);
  }

  node(op: string, inputs: readonly string[], attributes: Readonly<Record<string, OnnxAttribute>> = {}): string {
    const output = `${this.nodes.length}.${op.toLowerCase()}`;
    this.nodes.push({ op, inputs, outputs: [output], attributes, encoded: [] });
    return output;
  }

  copy(op: string, inputs: readonly string[], given: readonly string[], encoded: readonly Uint8Array[]): string[] {
    const outputs = given.map((name, i) => name && `${this.nodes.length}.${op.toLowerCase()}${i === 0 ? "" : `.${i}`}`);
    this.nodes.push({ op, inputs, outputs, attributes: {}, encoded });
    return outputs;
  }

  copied(name: string, encoded: Uint8Array): string {
    const own = `${this.nodes.length}.${name}`;
    this.tensors.push({ name: own, encoded });
    return own;
  }

  constant(name: string, values: Float32Array | BigInt64Array, shape: readonly number[] = [values.length]): string {
    const own = `${this.nodes.length}.${name}`;
    if (!this.tensors.some((tensor) => tensor.name === own)) this.tensors.push({ name: own, shape, values });
    return own;
  }

  linear(x: string, weight: string, bias: string | null, axes: number): string {
    if (axes === 1) return this.node("Gemm", bias === null ? [x, weight] : [x, weight, bias]);
    const product = this.node("MatMul", [x, weight]);
    return bias === null ? product : this.node("Add", [product, bias]);
  }

  activation(name: string, x: string): string {
    const known = OPERATORS[name];
    if (known !== undefined) return this.node(known[0], [x], known[1]);
    switch (name) {
      case "linear":
        return x;
      case "silu":
        return this.node("Mul", [x, this.node("Sigmoid", [x])]);
      case "gelu": {
        const [root, one, half] = [Math.SQRT1_2, 1, 0.5].map((value) =>
          this.constant(`gelu.${value.toFixed(1)}`, Float32Array.of(value)),
        ) as [string, string, string];
        const erf = this.node("Erf", [this.node("Mul", [x, root])]);
        return this.node("Mul", [this.node("Mul", [x, half]), this.node("Add", [erf, one])]);
      }
      default:
        throw new TypeError(`writeOnnx: the activation ${name} has no nodes in ONNX.`);
    }
  }

  /** Gives the last result the graph's own name. */
  end(last: string, name: string): void {
    const made = this.nodes.at(-1);
    if (made?.outputs[0] === last) made.outputs = [name, ...made.outputs.slice(1)];
    else this.nodes.push({ op: "Identity", inputs: [last], outputs: [name], attributes: {}, encoded: [] });
  }
}
