import type { Slide } from "./sliding";
import { convolved, type Tensor, turned } from "./tensor";

/**
 * The derivatives of a convolution are convolutions: in x that of g, whose elements lie a stride apart, by the weight turned round; in the
 * weight that of x by g, each channel for itself over the batch. Source: Dumoulin and Visin 2016, §4.
 */
export function convolutionGradients({ operands, attributes, shape }: Tensor, g: Tensor): [Tensor, Tensor] {
  const [x, weight] = operands as readonly [Tensor, Tensor];
  const { slides = [], groups = 1 } = attributes;
  const space = slides.map((_, i) => 2 + i);
  const lengthOf = (i: number) => x.shape[2 + i] as number;
  const placesAt = (i: number) => shape[2 + i] as number;
  /** With so much behind that a slide has exactly these places. */
  const giving = (slide: Slide, length: number, places: number): Slide => ({
    ...slide,
    after:
      (places - 1) * slide.stride + (slide.size - 1) * slide.dilation - (length - 1) * slide.spacing - slide.before,
  });

  const ofX = convolved(
    "conv",
    g,
    turned(weight, groups),
    slides.map((slide, i) => {
      const { size, stride, dilation, spacing, before } = slide;
      const back = {
        size,
        dilation,
        stride: spacing,
        spacing: stride,
        before: (size - 1) * dilation - before,
        after: 0,
      };
      return giving(back, placesAt(i), lengthOf(i));
    }),
    groups,
  );

  const [N, C] = x.shape as readonly [number, number];
  const perGroup = C / groups;
  const channels = x
    .reshape([N, groups, perGroup, ...x.shape.slice(2)])
    .permute([2, 1, 0, ...space.map((axis) => axis + 1)])
    .reshape([perGroup, groups * N, ...x.shape.slice(2)]);
  const ofWeight = convolved(
    "conv",
    channels,
    g.permute([1, 0, ...space]),
    slides.map((slide, i) => {
      const { size, stride, dilation, spacing, before } = slide;
      const over = { size: placesAt(i), dilation: stride, stride: dilation, spacing, before, after: 0 };
      return giving(over, lengthOf(i), size);
    }),
    groups,
  );
  return [ofX, ofWeight.permute([1, 0, ...space])];
}
