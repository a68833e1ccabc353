import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import { checkAmount, checkCount, checkOptions } from "../../util/checks";
import { ShapeError } from "../../util/errors";
import { formatShape, type Shape } from "../../util/shape";
import { type Held, type Layer, Part } from "./layer";

/** The largest integer up to which float32, in which data lie on the device, has all. */
const MOST_TOKENS = 2 ** 24;

class Embedding extends Part {
  static override readonly name = "Layer";
  readonly name = "embedding";

  constructor(
    readonly tokens: number,
    readonly size: number,
    readonly deviation: number,
  ) {
    super();
  }

  override get vocabulary(): number {
    return this.tokens;
  }

  override output(inputs: Shape): Shape {
    if (inputs.length > 1) throw new ShapeError(`embedding takes [T] tokens, and is given ${formatShape(inputs)}.`);
    return [...inputs, this.size];
  }

  override held(): Record<string, Held> {
    const { tokens, size, deviation } = this;
    const first: Held["first"] = (random) => random.normal(0, deviation, tokens * size);
    return { weight: { shape: [tokens, size], first } };
  }

  apply(x: Tensor, { weight }: Record<string, Tensor>): Tensor {
    return (weight as Tensor).take(x);
  }

  onnx(to: OnnxNodes, x: string, own: (name: string) => string): string {
    return to.node("Gather", [own("weight"), x]);
  }

  pytorch(to: TorchModules): TorchModule[] {
    return [to.module("Embedding", [this.tokens, this.size])];
  }
}

/**
 * A row of `size` numbers for each token: int32 tokens [rows, T] from 0 to `vocabulary` - 1 -> [rows, T, size]. It is the first layer, and
 * the weight [vocabulary, size] begins normal, with a `deviation` of 1 where left out: PyTorch's Embedding. Before a positionEmbedding()
 * give it that one's 0.02, as GPT-2 does: beside larger rows the positions are long not seen. A token that has no row is refused where
 * it comes in. Throws RangeError or TypeError.
 */
export function embedding(vocabulary: number, size: number, options: { deviation?: number } = {}): Layer {
  checkOptions("embedding", options, ["deviation"]);
  const { deviation = 1 } = options;
  checkAmount("embedding", "deviation", deviation);
  checkCount("embedding", "vocabulary", vocabulary);
  checkCount("embedding", "size", size);
  if (vocabulary > MOST_TOKENS)
    throw new RangeError(`embedding: vocabulary is ${vocabulary}; at most ${MOST_TOKENS} tokens can be told apart.`);
  return new Embedding(vocabulary, size, deviation);
}
