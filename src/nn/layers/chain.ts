import type { OnnxNodes } from "../../files/nodes";
import type { Tensor } from "../../graph/tensor";
import { shown } from "../../util/checks";
import { ShapeError } from "../../util/errors";
import type { Shape } from "../../util/shape";
import { type Held, type Layer, Part, type Pass } from "./layer";

/** One layer of a chain: `index` is the number of its first module in the PyTorch Sequential. */
export interface Place {
  readonly layer: Part;
  readonly index: number;
  readonly inputs: Shape;
  readonly outputs: Shape;
}

/** Layers one after another, as a PyTorch Sequential has them: their arrays are "0.weight", "2.bias", … */
export class Chain {
  private readonly indices: readonly number[];

  constructor(readonly layers: readonly Part[]) {
    let index = 0;
    this.indices = layers.map((layer) => {
      index += layer.modules;
      return index - layer.modules;
    });
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

  output(inputs: Shape): Shape {
    return this.places(inputs).at(-1)?.outputs ?? inputs;
  }

  held(inputs: Shape): Record<string, Held> {
    const all: Record<string, Held> = {};
    for (const place of this.places(inputs)) {
      for (const [name, held] of Object.entries(place.layer.held(place.inputs))) all[`${place.index}.${name}`] = held;
    }
    return all;
  }

  /** Names that a file may have besides. */
  get passedOver(): string[] {
    return this.layers.flatMap((layer, i) => layer.passedOver.map((name) => `${this.indices[i]}.${name}`));
  }

  widest(inputs: Shape): number {
    return Math.max(...this.places(inputs).map((place) => place.layer.widest(place.inputs)));
  }

  leastRows(inputs: Shape): number {
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

  onnx(to: OnnxNodes, x: string, own: (name: string) => string, inputs: Shape): string {
    return this.places(inputs).reduce(
      (last, { layer, index, inputs: before }) => layer.onnx(to, last, (name) => own(`${index}.${name}`), before),
      x,
    );
  }
}

/** Layers as they were given, once each is one. Throws TypeError. */
export function checkLayers(part: string, layers: readonly Layer[]): Part[] {
  if (!Array.isArray(layers)) {
    throw new TypeError(`${part}: layers is ${shown(layers)}; it must be an array of layers, such as dense(…).`);
  }
  return layers.map((layer: unknown, i) => {
    if (layer instanceof Part) return layer;
    throw new TypeError(
      `${part}: layer ${i} is ${shown(layer, Part)}; it must come from dense() or another function that makes a layer.`,
    );
  });
}
