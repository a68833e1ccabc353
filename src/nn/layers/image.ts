import { ShapeError } from "../../util/errors";
import { formatShape, type Shape } from "../../util/shape";

export function checkImage(part: string, inputs: Shape): void {
  if (inputs.length === 3) return;
  throw new ShapeError(`${part} takes images, [C, H, W], and is given ${formatShape(inputs)}.`);
}
