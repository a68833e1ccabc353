import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import { ShapeError } from "../../util/errors";
import { formatShape, type Shape, sameShape } from "../../util/shape";
import { Chain, checkLayers } from "./chain";
import { type Held, type Layer, Part, type Pass } from "./layer";

const BODY = "body.";

class Residual extends Part {
  static override readonly name = "Layer";
  readonly name = "residual";
  readonly #chain: Chain;

  constructor(readonly layers: readonly Part[]) {
    super();
    this.#chain = new Chain(layers);
  }

  override get told(): string {
    return `residual of ${this.layers.length}`;
  }

  override get passedOver(): readonly string[] {
    return this.#chain.passedOver.map((name) => BODY + name);
  }

  override output(inputs: Shape): Shape {
    const outputs = this.#chain.output(inputs);
    if (!sameShape(inputs, outputs)) {
      throw new ShapeError(
        `residual: its layers make ${formatShape(outputs)} of ${formatShape(inputs)}; to be added the two must be the same.`,
      );
    }
    return inputs;
  }

  override held(inputs: Shape): Record<string, Held> {
    return Object.fromEntries(Object.entries(this.#chain.held(inputs)).map(([name, held]) => [BODY + name, held]));
  }

  override get mayMixRows(): boolean {
    return this.#chain.mayMixRows;
  }

  override leastRows(inputs: Shape): number {
    return this.#chain.leastRows(inputs);
  }

  override widest(inputs: Shape): number {
    return this.#chain.widest(inputs);
  }

  apply(x: Tensor, held: Record<string, Tensor>, pass: Pass): Tensor {
    const own = Object.fromEntries(Object.entries(held).map(([name, tensor]) => [name.slice(BODY.length), tensor]));
    return x.add(this.#chain.apply(x, own, pass.within(BODY, 0)));
  }

  onnx(to: OnnxNodes, x: string, own: (name: string) => string, inputs: Shape): string {
    return to.node("Add", [x, this.#chain.onnx(to, x, (name) => own(BODY + name), inputs)]);
  }

  pytorch(to: TorchModules, inputs: Shape): TorchModule[] {
    return [to.own("Residual", this.#chain.torchModules(to.within(BODY), inputs))];
  }
}

/**
 * x + body(x), the body being `layers` one after another; what they make must have x's shape. Their parameters are "N.body.0.weight", …: of
 * a PyTorch module whose `body` is the Sequential of the layers. Throws TypeError or RangeError. Source: He et al. 2016, eq. 1.
 */
export function residual(layers: readonly Layer[]): Layer {
  const known = checkLayers("residual", layers);
  const tokens = known.find((layer) => layer.vocabulary !== null);
  if (tokens !== undefined)
    throw new RangeError(`residual: ${tokens.name} takes tokens; it must be the first layer of sequential().`);
  return new Residual(known);
}
