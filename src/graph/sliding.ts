import { shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape, type Shape } from "../util/shape";

/** A number for all axes of space, or one for each. `padding`: one [before, after] an axis too, or "same" (what is odd goes behind). */
export interface ConvOptions {
  stride?: number | readonly number[];
  padding?: "same" | number | readonly (number | readonly [number, number])[];
  dilation?: number | readonly number[];
  groups?: number;
}

/** `stride` is the size where left out. */
export interface PoolOptions {
  stride?: number | readonly number[];
  padding?: ConvOptions["padding"];
}

/** How a window slides along one axis, over elements that lie `spacing` apart, zeros between. Padding below 0 cuts off. */
export interface Slide {
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly spacing: number;
  readonly before: number;
  readonly after: number;
}

/** Places of a window along an axis of `length`; less than 1 where it does not fit. */
export function placesOf(length: number, { size, stride, dilation, spacing, before, after }: Slide): number {
  return Math.floor(((length - 1) * spacing + before + after - (size - 1) * dilation) / stride) + 1;
}

/** The slides of windows of these `sizes`, one an axis, from a caller's options. Throws TypeError, RangeError and ShapeError for those that are none. */
export function slidesOf(part: string, sizes: readonly number[], options: ConvOptions): Slide[] {
  const strides = numbers(part, "stride", options.stride ?? 1, sizes.length, 1);
  const dilations = numbers(part, "dilation", options.dilation ?? 1, sizes.length, 1);
  const { padding = 0 } = options;
  return sizes.map((size, axis) => {
    const [stride, dilation] = [strides[axis] as number, dilations[axis] as number];
    const slide = { size, stride, dilation, spacing: 1 };
    const reach = (size - 1) * dilation;
    if (padding === "same") {
      if (stride !== 1)
        throw new RangeError(
          `${part}: padding "same" with a stride of ${stride}; it keeps the length only where the stride is 1`,
        );
      return { ...slide, before: Math.floor(reach / 2), after: Math.ceil(reach / 2) };
    }
    const each = Array.isArray(padding) ? padding[axis] : padding;
    if (Array.isArray(padding) && padding.length !== sizes.length)
      throw new ShapeError(
        `${part}: padding has ${padding.length} entries for ${sizes.length} axes of space; there must be one an axis`,
      );
    const [before, after] = Array.isArray(each) ? each : [each, each];
    for (const width of [before, after]) {
      if (!Number.isSafeInteger(width) || width < 0)
        throw new RangeError(`${part}: a padding is ${shown(width)}; it must be an integer of at least 0, or "same"`);
    }
    return { ...slide, before, after };
  });
}

/** One integer of at least `least` for each of `count` axes. */
export function numbers(part: string, name: string, given: unknown, count: number, least: number): number[] {
  const all = Array.isArray(given) ? given : new Array(count).fill(given);
  if (all.length !== count)
    throw new ShapeError(
      `${part}: ${name} has ${all.length} entries for ${count} axes of space; there must be one an axis`,
    );
  for (const each of all) {
    if (!Number.isSafeInteger(each) || each < least)
      throw new RangeError(`${part}: ${name} is ${shown(each)}; it must be an integer of at least ${least}`);
  }
  return all;
}

/** The axes of space of [N, C, ...space], one or two. */
export function spaceOf(part: string, shape: Shape): Shape {
  if (shape.length !== 3 && shape.length !== 4) {
    throw new ShapeError(
      `${part}: the operand is ${formatShape(shape)}; it must be [N, C, length] or [N, C, height, width], reshape it first`,
    );
  }
  return shape.slice(2);
}

/** Lengths after windows have slid over [N, C, ...space]. Throws ShapeError where they do not fit. */
export function slidLengths(part: string, shape: Shape, slides: readonly Slide[]): number[] {
  return slides.map((slide, axis) => {
    const length = shape[axis + 2] as number;
    const places = placesOf(length, slide);
    if (places >= 1) return places;
    const reach = (slide.size - 1) * slide.dilation + 1;
    throw new ShapeError(
      `${part}: a window of ${reach} does not fit axis ${axis + 2} of ${formatShape(shape)}, which is ${(length - 1) * slide.spacing + 1 + slide.before + slide.after} with its padding`,
    );
  });
}

/** The channels of a group: of x [N, C, ...], and of the result. Throws where groups do not divide them, or the weight does not fit. */
export function checkGroups(part: string, groups: number, channels: number, filters: number): void {
  if (!Number.isSafeInteger(groups) || groups < 1 || channels % groups !== 0 || filters % groups !== 0) {
    throw new RangeError(
      `${part}: groups is ${shown(groups)} for ${channels} channels and ${filters} filters; it must divide both`,
    );
  }
}

/** In float64: x [N, C, ...space] by weight [O, C / groups, ...size] -> [N, O, ...places], by its definition. */
export function convolve(
  x: Float64Array,
  weight: Float64Array,
  out: Float64Array,
  [xShape, weightShape, shape]: readonly [Shape, Shape, Shape],
  slides: readonly Slide[],
): void {
  const line: Slide = { size: 1, stride: 1, dilation: 1, spacing: 1, before: 0, after: 0 };
  const [down, across] = (slides.length === 1 ? [line, slides[0]] : slides) as readonly [Slide, Slide];
  const image = (of: Shape) =>
    (of.length === 3 ? [of[0], of[1], 1, of[2]] : of) as readonly [number, number, number, number];
  const [, C, H, W] = image(xShape);
  const [O, perGroup, kh, kw] = image(weightShape);
  const [N, , P, Q] = image(shape);
  const filters = (O * perGroup) / C; // of a group
  /** Where an element of x stands that a window meets, or -1. */
  const at = (place: number, k: number, length: number, { stride, dilation, spacing, before }: Slide) => {
    const spaced = place * stride + k * dilation - before;
    return spaced >= 0 && spaced % spacing === 0 && spaced / spacing < length ? spaced / spacing : -1;
  };
  let result = 0;
  for (let n = 0; n < N; n++) {
    for (let o = 0; o < O; o++) {
      const first = Math.floor(o / filters) * perGroup;
      for (let p = 0; p < P; p++) {
        for (let q = 0; q < Q; q++) {
          let sum = 0;
          for (let i = 0; i < kh; i++) {
            const row = at(p, i, H, down);
            for (let j = 0; j < kw; j++) {
              const column = at(q, j, W, across);
              for (let c = 0; c < perGroup; c++) {
                // Padding is zeros, which an infinite weight makes NaN of.
                const value = row < 0 || column < 0 ? 0 : (x[((n * C + first + c) * H + row) * W + column] as number);
                sum += value * (weight[((o * perGroup + c) * kh + i) * kw + j] as number);
              }
            }
          }
          out[result++] = sum;
        }
      }
    }
  }
}
