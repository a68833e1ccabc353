import { constant, type Tensor } from "../../graph/tensor";
import { type Call, type Operators, placeOf } from "../call";

type Mode = "nearest" | "linear" | "cubic";

/** Images of another size: along each axis an element is one of those there were, or a mean of those around its place. */
export const RESIZE: Operators = {
  Resize: (call) => {
    if (call.number("antialias", 0) === 1) call.refuse("has antialias, which is not known");
    const first = call.opset >= 11 ? 2 : 1;
    const { shape } = call.x();
    const axes = (call.list("axes") ?? [...shape.keys()]).map((axis) => placeOf(axis, shape.length));
    const scales = call.numbers(first);
    const sizes = call.numbers(first + 1);
    if (sizes?.length && call.text("keep_aspect_ratio_policy", "stretch") !== "stretch")
      call.refuse("has a keep_aspect_ratio_policy, which is not known");
    return axes.reduce((x, axis, i) => {
      const length = shape[axis] as number;
      const size = sizes?.length ? (sizes[i] as number) : Math.floor(length * (scales?.[i] ?? 1));
      const scale = sizes?.length ? size / length : (scales?.[i] ?? 1);
      return along(call, x, axis, size, scale, call.opset >= 11 ? "half_pixel" : "asymmetric");
    }, call.x());
  },
  Upsample: (call) => {
    const scales = call.list("scales") ?? call.numbers(1) ?? call.refuse("has no scales");
    return scales.reduce((x, scale, axis) => {
      const length = x.shape[axis] as number;
      return along(call, x, axis, Math.floor(length * scale), scale, "asymmetric");
    }, call.x());
  },
};

function along(call: Call, x: Tensor, axis: number, size: number, scale: number, coordinates: string): Tensor {
  const length = x.shape[axis] as number;
  if (size === length && scale === 1) return x;
  const mode = call.text("mode", "nearest");
  if (mode !== "nearest" && mode !== "linear" && mode !== "cubic")
    return call.refuse(`has the mode ${mode}, which is not known`);
  const places = Array.from({ length: size }, (_, i) => place(call, i, length, size, scale, coordinates));
  if (mode === "nearest") {
    const at = places.map((each) => Math.min(Math.max(rounded(call, each), 0), length - 1));
    return x.take(constant(at, [size]).toInt32(), axis);
  }
  const weights = new Float64Array(size * length);
  places.forEach((each, i) => {
    const low = Math.floor(each);
    const around = mode === "linear" ? [0, 1] : [-1, 0, 1, 2];
    const factors = around.map((step) => factor(call, mode, Math.abs(each - low - step)));
    const outside = call.number("exclude_outside", 0) === 1;
    const used = factors.map((value, k) => {
      const at = low + (around[k] as number);
      return outside && (at < 0 || at >= length) ? 0 : value;
    });
    const sum = used.reduce((a, b) => a + b);
    used.forEach((value, k) => {
      const at = Math.min(Math.max(low + (around[k] as number), 0), length - 1);
      weights[i * length + at] = (weights[i * length + at] as number) + (outside ? value / sum : value);
    });
  });
  const order = [...x.shape.keys()];
  const last = order.map((each) => (each === axis ? order.length - 1 : each === order.length - 1 ? axis : each));
  // Swaps the axis with the last one, which is undone by swapping again.
  return x
    .permute(last)
    .matmul(constant(weights, [size, length]).T)
    .permute(last);
}

/** Where element `i` of the result lies among those there were. */
function place(call: Call, i: number, length: number, size: number, scale: number, otherwise: string): number {
  const coordinates = call.text("coordinate_transformation_mode", otherwise);
  switch (coordinates) {
    case "half_pixel":
      return (i + 0.5) / scale - 0.5;
    case "pytorch_half_pixel":
      return size > 1 ? (i + 0.5) / scale - 0.5 : 0;
    case "asymmetric":
      return i / scale;
    case "align_corners":
      // By what the scale makes of the length, before it is a whole number.
      return size > 1 ? (i * (length - 1)) / (length * scale - 1) : 0;
    case "tf_half_pixel_for_nn":
      return (i + 0.5) / scale;
    default:
      return call.refuse(`has the coordinates ${coordinates}, which are not known`);
  }
}

function rounded(call: Call, at: number): number {
  const how = call.text("nearest_mode", call.opset >= 11 ? "round_prefer_floor" : "floor");
  switch (how) {
    case "floor":
      return Math.floor(at);
    case "ceil":
      return Math.ceil(at);
    case "round_prefer_ceil":
      return Math.floor(at + 0.5);
    case "round_prefer_floor":
      return Math.ceil(at - 0.5);
    default:
      return call.refuse(`has the nearest_mode ${how}, which is not known`);
  }
}

/** How much an element counts that is `distance` away. Source of the cubic one: Keys 1981. */
function factor(call: Call, mode: Exclude<Mode, "nearest">, distance: number): number {
  if (mode === "linear") return 1 - distance;
  const a = call.number("cubic_coeff_a", -0.75);
  if (distance <= 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
  return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a;
}
