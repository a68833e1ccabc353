import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import { shown } from "../../util/checks";
import { ShapeError } from "../../util/errors";
import type { Shape } from "../../util/shape";
import { type Held, type Layer, type Line, Part, type Pass } from "./layer";

/** One layer of a chain: `index` is the number of its first module in the PyTorch Sequential. */
export interface Place {
  readonly layer: Part;
  readonly index: number;
  readonly inputs: Shape;
  readonly outputs: Shape;
}

/** Layers one after another, as a PyTorch Sequential has them: their arrays are "0.weight", "2.bias", … Itself a layer, of a network within another. */
export class Chain extends Part {
  static override readonly name = "Layer";
  readonly name = "sequential";
  private readonly indices: readonly number[];

  /** `first` is the number of its first module: not 0 for what is left of a chain without its beginning. */
  constructor(
    readonly layers: readonly Part[],
    first = 0,
  ) {
    super();
    let index = first;
    this.indices = layers.map((layer) => {
      index += layer.modules;
      return index - layer.modules;
    });
  }

  override get told(): string {
    return `sequential of ${this.layers.length}`;
  }

  override get vocabulary(): number | null {
    return this.layers[0]?.vocabulary ?? null;
  }

  override get squashes(): string | null {
    return this.layers.at(-1)?.squashes ?? null;
  }

  /** Throws ShapeError where a layer cannot take what the one before it gives. */
  places(inputs: Shape): Place[] {
    let shape = inputs;
    return this.layers.map((layer, i) => {
      const before = shape;
      try {
        shape = layer.output(before);
      } catch (error) {
        if (!(error instanceof ShapeError)) throw error;
        throw new ShapeError(`sequential: layer ${i}: ${error.message}`);
      }
      return { layer, index: this.indices[i] as number, inputs: before, outputs: shape };
    });
  }

  override output(inputs: Shape): Shape {
    return this.places(inputs).at(-1)?.outputs ?? inputs;
  }

  override held(inputs: Shape): Record<string, Held> {
    const all: Record<string, Held> = {};
    for (const place of this.places(inputs)) {
      for (const [name, held] of Object.entries(place.layer.held(place.inputs))) all[`${place.index}.${name}`] = held;
    }
    return all;
  }

  /** Names that a file may have besides. */
  override get passedOver(): string[] {
    return this.layers.flatMap((layer, i) => layer.passedOver.map((name) => `${this.indices[i]}.${name}`));
  }

  override widest(inputs: Shape): number {
    return Math.max(...this.places(inputs).map((place) => place.layer.widest(place.inputs)));
  }

  override get mayMixRows(): boolean {
    return this.layers.some((layer) => layer.mayMixRows);
  }

  override leastRows(inputs: Shape): number {
    return Math.max(1, ...this.places(inputs).map((place) => place.layer.leastRows(place.inputs)));
  }

  apply(x: Tensor, held: Record<string, Tensor>, pass: Pass): Tensor {
    let value = x;
    this.layers.forEach((layer, i) => {
      const index = this.indices[i] as number;
      const own: Record<string, Tensor> = {};
      for (const name of Object.keys(layer.held(value.shape.slice(1)))) {
        own[name] = held[`${index}.${name}`] as Tensor;
      }
      value = layer.apply(value, own, pass.within(`${index}.`, index));
    });
    return value;
  }

  override lines(inputs: Shape): Line[] {
    return this.places(inputs).map(({ layer, index, inputs: before }) => ({
      ...layer.line(before),
      name: String(index),
    }));
  }

  onnx(to: OnnxNodes, x: string, own: (name: string) => string, inputs: Shape): string {
    return this.places(inputs).reduce(
      (last, { layer, index, inputs: before }) => layer.onnx(to, last, (name) => own(`${index}.${name}`), before),
      x,
    );
  }

  /** The modules of its layers. */
  torchModules(to: TorchModules, inputs: Shape): TorchModule[] {
    return this.places(inputs).flatMap(({ layer, index, inputs: before }) =>
      layer.pytorch(to.within(`${index}.`), before),
    );
  }

  pytorch(to: TorchModules, inputs: Shape): TorchModule[] {
    return [to.sequential(this.torchModules(to, inputs))];
  }
}

/** Layers as they were given, once each is one; of a model its layers as one. Throws TypeError. */
export function checkLayers(part: string, layers: readonly Layer[]): Part[] {
  if (!Array.isArray(layers)) {
    throw new TypeError(`${part}: layers is ${shown(layers)}; it must be an array of layers, such as dense(…).`);
  }
  return layers.map((layer: unknown, i) => {
    const whole: unknown = layer instanceof Part ? layer : (layer as { readonly whole?: unknown } | null)?.whole;
    if (whole instanceof Part) return whole;
    throw new TypeError(
      `${part}: layer ${i} is ${shown(layer, Part)}; it must come from dense() or another function that makes a layer.`,
    );
  });
}
