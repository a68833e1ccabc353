import { random, type Tensor } from "../graph/tensor";
import type { Shape } from "../util/shape";
import type { Pass } from "./layers/layer";

/** A step of training, as far as layers know of it; predictions and evaluations have none. */
export interface Step {
  /** An int32 scalar that names the step: each draws random numbers of its own. Made when the first layer asks. */
  counter(): Tensor;
  /** The seed of a draw, an int32 scalar, where it is not known yet; `given` is what the model's seed made of it. */
  seed?(given: number): Tensor;
  /** [rows], 0 for a row that only fills the batch up; null where there is none such. */
  readonly present: Tensor | null;
  frozen(name: string): boolean;
  /** What the state of layers becomes, by name. */
  readonly becomes: Record<string, Tensor>;
}

/** One of a layer: two layers of a model draw different numbers, and so do two models of different seeds. */
export class LayerPass implements Pass {
  private draws = 0;

  constructor(
    private readonly step: Step | null,
    private readonly seed: number,
    private readonly prefix = "",
  ) {}

  get training(): boolean {
    return this.step !== null;
  }

  get present(): Tensor | null {
    return this.step?.present ?? null;
  }

  uniform(shape: Shape): Tensor {
    if (this.step === null)
      throw new TypeError("a layer asks for random numbers in a prediction; it may where `training` is true only.");
    const seed = this.seed ^ Math.imul(this.draws++, 0x85ebca6b);
    return random(shape, this.step.counter(), this.step.seed?.(seed) ?? seed >>> 1);
  }

  /** Box and Muller 1958: of 1 - u, which is above 0, so that the largest is √(48 log 2), 5.77. */
  normal(shape: Shape): Tensor {
    const radius = this.uniform(shape).neg().add(1).log().mul(-2).sqrt();
    return radius.mul(
      this.uniform(shape)
        .mul(2 * Math.PI)
        .cos(),
    );
  }

  frozen(name: string): boolean {
    return this.step?.frozen(this.prefix + name) ?? false;
  }

  become(name: string, next: Tensor): void {
    if (this.step !== null) this.step.becomes[this.prefix + name] = next;
  }

  within(prefix: string, index: number): Pass {
    return new LayerPass(this.step, this.seed ^ Math.imul(index + 1, 0x9e3779b1), this.prefix + prefix);
  }
}
