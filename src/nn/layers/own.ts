import { input, Tensor } from "../../graph/tensor";
import { checkCallback, checkChoice, isRecord, shown } from "../../util/checks";
import { ShapeError } from "../../util/errors";
import { formatShape, type Shape, sizeOf } from "../../util/shape";
import { INITIALIZERS, type Initializer } from "../initializers";
import { type Held, type Layer, Part, type Pass } from "./layer";

/** What a layer of the user's own is made of. */
export interface LayerParts<Name extends string = string> {
  /** Its parameters for an example of this shape: by name the shape, and how it begins: zeros for one axis, glorotUniform for more. */
  parameters?(inputs: Shape): Record<Name, { shape: Shape; init?: Initializer }>;
  /**
   * x [rows, ...inputs] -> [rows, ...outputs], with the parameters by name. `training` is false in predict and evaluate, where there
   * are no random numbers; a batch's last rows may be there only to fill it up.
   */
  apply(x: Tensor, parameters: Record<Name, Tensor>, context: LayerContext): Tensor;
}

/** What `apply` of a layer of your own is given besides: whether it trains, and random numbers. */
export interface LayerContext {
  readonly training: boolean;
  /** Numbers of [0, 1), drawn anew at each step. Throws TypeError where `training` is false. */
  uniform(shape: Shape): Tensor;
  /** Standard normal numbers, likewise. */
  normal(shape: Shape): Tensor;
}

class Own extends Part {
  static override readonly name = "Layer";
  readonly #parts: LayerParts;

  constructor(
    readonly name: string,
    parts: LayerParts,
  ) {
    super();
    this.#parts = parts;
  }

  override get squashes(): string | null {
    return this.name === "softmax" || this.name === "sigmoid" ? this.name : null;
  }

  override get mayMixRows(): boolean {
    return true;
  }

  override output(inputs: Shape): Shape {
    const held = Object.entries(this.held(inputs)).map(([name, { shape }]) => [name, input(shape)]);
    const x = input([2, ...inputs]);
    return this.#applied(x, Object.fromEntries(held), {
      training: false,
      uniform: input,
      normal: input,
    }).shape.slice(1);
  }

  override held(inputs: Shape): Record<string, Held> {
    const given = this.#parts.parameters?.([...inputs]) ?? {};
    return Object.fromEntries(
      Object.entries(given).map(([name, { shape, init = shape.length > 1 ? "glorotUniform" : "zeros" }]) => {
        checkChoice(this.name, `init of "${name}"`, init, Object.keys(INITIALIZERS) as Initializer[]);
        const units = shape.at(-1) ?? 1;
        const count = sizeOf(shape);
        return [
          name,
          { shape: [...shape], first: (random) => INITIALIZERS[init](random, count / units, units, count) },
        ];
      }),
    );
  }

  apply(x: Tensor, held: Record<string, Tensor>, pass: Pass): Tensor {
    return this.#applied(x, held, {
      training: pass.training,
      uniform: (shape) => pass.uniform(shape),
      normal: (shape) => pass.normal(shape),
    });
  }

  #applied(x: Tensor, held: Record<string, Tensor>, context: LayerContext): Tensor {
    const made: unknown = this.#parts.apply(x, held, context);
    const rows = x.shape[0] as number;
    if (!(made instanceof Tensor) || made.dtype !== "float32")
      throw new TypeError(`${this.name}: apply gave ${shown(made, Tensor)}; it must be a float32 Tensor.`);
    if (made.shape.length < 2 || made.shape[0] !== rows) {
      throw new ShapeError(
        `${this.name}: apply made ${formatShape(made.shape)} of ${rows} rows; it must be [${rows}, …], a row for each.`,
      );
    }
    return made;
  }

  onnx(): string {
    throw new TypeError(`writeOnnx: the layer ${this.name} is of your own; there are no nodes for it.`);
  }

  pytorch(): never {
    throw new TypeError(
      `writePyTorch: the layer ${this.name} is of your own, and how it is written in PyTorch is not known; make it of the library's layers, or write the network in PyTorch and load_state_dict what save() gives.`,
    );
  }
}

/**
 * A layer of your own: what it holds and what it does, with the methods of Tensor. It is trained, saved and summed up as those of the
 * library. Its parameters are "N.name", and in files as in memory. Throws TypeError for what makes no layer; what `apply` throws comes from
 * `sequential`.
 */
export function defineLayer<Name extends string>(name: string, parts: LayerParts<Name>): Layer {
  if (typeof name !== "string" || name === "")
    throw new TypeError(`defineLayer: name is ${shown(name)}; it must be a string, not empty.`);
  if (!isRecord(parts) || typeof parts.apply !== "function")
    throw new TypeError(
      `defineLayer: the parts of ${name} are ${shown(parts)}; they must be an object with apply(x, parameters, context).`,
    );
  checkCallback("defineLayer", "parameters", parts.parameters);
  return new Own(name, parts);
}
