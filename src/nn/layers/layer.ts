import type { RandomState } from "../../data/random";
import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import { type Shape, sizeOf } from "../../util/shape";

/** A part of a network, from `dense`, `dropout` and the others; it has no weights of its own until `sequential` places it. */
export interface Layer {
  readonly name: string;
}

/** @internal One array that a layer holds. */
export interface Held {
  readonly shape: Shape;
  /** First values, as many as the shape has, drawn from the model's generator. */
  first(random: RandomState): ArrayLike<number>;
  /** Adds l2/2 * sum(values²) to the loss; default 0. */
  readonly l2?: number;
  /** PyTorch's file has the two axes the other way round. */
  readonly turned?: boolean;
  /** No gradient goes to it: training gives it its next value by `Pass.become`. */
  readonly state?: boolean;
}

/** @internal A line of a model's summary. */
export interface Line {
  readonly name: string;
  readonly told: string;
  readonly outputs: Shape;
  /** How many numbers its parameters have. */
  readonly parameters: number;
}

/** @internal What a forward pass gives a layer besides x and what it holds. */
export interface Pass {
  readonly training: boolean;
  /** In training: [rows], 0 for a row that only fills the batch up; null where there is none such. */
  readonly present: Tensor | null;
  /** Numbers from 0 to 1 without 1, drawn anew at each step of training. Throws TypeError outside of training. */
  uniform(shape: Shape): Tensor;
  /** Standard normal numbers, likewise. */
  normal(shape: Shape): Tensor;
  /** Whether what the layer calls `name` is to stay as it is. */
  frozen(name: string): boolean;
  /** What the layer's state `name` is after this step of training. */
  become(name: string, next: Tensor): void;
  /** That of a layer within this one: `prefix` begins its names, `index` sets its random numbers apart. */
  within(prefix: string, index: number): Pass;
}

/**
 * @internal A layer as the model places it. It owns all that is said of it: its output's shape, what it holds, its forward pass, its names
 * in PyTorch's file, its modules there and its nodes in ONNX. Its fields are what `Model.layers` tells of it.
 */
export abstract class Part implements Layer {
  static readonly name: string = "Layer"; // as messages call it, whatever a minifier makes of the class
  abstract readonly name: string;

  /** How many modules of PyTorch's Sequential it is: an activation given to a layer is one of its own. */
  get modules(): number {
    return 1;
  }

  /** What the summary calls it. */
  get told(): string {
    return this.name;
  }

  /** How many tokens there are, for a layer that takes int32 tokens from 0; null for one that takes float32. */
  get vocabulary(): number | null {
    return null;
  }

  /** Whether what it gives are probabilities already, which a cross entropy from logits must not be given: by which function. */
  get squashes(): string | null {
    return null;
  }

  /** The shape of what it makes of one example. Throws ShapeError for one that it cannot take. */
  output(inputs: Shape): Shape {
    return inputs;
  }

  /** Its arrays by PyTorch's names, in PyTorch's order. */
  held(_inputs: Shape): Record<string, Held> {
    return {};
  }

  /** Names that PyTorch's file may have of it besides, and that nothing is made of. */
  get passedOver(): readonly string[] {
    return [];
  }

  /** Numbers that it has of one example at most, besides its input. */
  widest(inputs: Shape): number {
    return sizeOf(this.output(inputs));
  }

  /** What a summary says of it, as a part of a network. */
  line(inputs: Shape): Line {
    const parameters = Object.values(this.held(inputs)).reduce(
      (sum, { shape, state }) => sum + (state ? 0 : sizeOf(shape)),
      0,
    );
    return { name: "", told: this.told, outputs: this.output(inputs), parameters };
  }

  /** And as the whole: of what it is made of. */
  lines(inputs: Shape): Line[] {
    return [this.line(inputs)];
  }

  /** x [rows, ...inputs] -> [rows, ...output(inputs)]. */
  abstract apply(x: Tensor, held: Record<string, Tensor>, pass: Pass): Tensor;

  /** Whether what it makes of a row may depend on the other rows, or on the step, in ways that cannot be seen from here. */
  get mayMixRows(): boolean {
    return false;
  }

  /** How many rows a batch must have in training; 1 for all layers that make of a row what is in it alone. */
  leastRows(_inputs: Shape): number {
    return 1;
  }

  /** Its nodes: takes the name of its input, gives that of its output; `own` puts an array of its own into the file. */
  abstract onnx(to: OnnxNodes, x: string, own: (name: string) => string, inputs: Shape): string;

  /** Its modules in PyTorch, as many as `modules`: with the names of what is held, and the same forward pass. */
  abstract pytorch(to: TorchModules, inputs: Shape): TorchModule[];
}
