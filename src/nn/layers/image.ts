import type { Slide } from "../../graph/sliding";
import { ShapeError } from "../../util/errors";
import { formatShape, type Shape } from "../../util/shape";

export function checkImage(part: string, inputs: Shape): void {
  if (inputs.length === 3) return;
  throw new ShapeError(`${part} takes images, [C, H, W], and is given ${formatShape(inputs)}.`);
}

/** What is padded before and after, of the last axis first, as PyTorch's F.pad takes it. */
export function torchPads(slides: readonly Slide[]): number[] {
  return [...slides].reverse().flatMap(({ before, after }) => [before, after]);
}
