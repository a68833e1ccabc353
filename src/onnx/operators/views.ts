import type { DecodedTensor } from "../../files/onnx-decode";
import { concat } from "../../graph/join";
import { constant, iota, type Tensor } from "../../graph/tensor";
import { sizeOf } from "../../util/shape";
import { type Call, known, type Operators, placeOf } from "../call";

/** Input 1 as indices along an axis of input 0; a negative one counts from the end. */
function fromEnd(call: Call, axis: number): Tensor {
  // What a file computes of them with Where is float32 here.
  const [x, indices] = [call.x(0), call.x(1).toInt32()];
  return indices.add(
    indices
      .lt(0)
      .mul(x.shape.at(axis) ?? 0)
      .toInt32(),
  );
}

/** What takes elements elsewhere, or asks how many there are. */
export const VIEWS: Operators = {
  Trilu: (call) => {
    const x = call.x();
    const [rows, columns] = x.shape.slice(-2) as [number, number];
    const k = call.numbers(1)?.[0] ?? 0;
    const [row, column] = [iota(rows).add(k).reshape([rows, 1]), iota(columns)];
    return x.toFloat32().mask(call.number("upper", 1) === 1 ? column.ge(row) : column.le(row));
  },
  // Shapes are known when the graph is built, and so is what a file computes of them.
  Shape: (call) => {
    const shape = call.value().empty ? [0] : call.x().shape;
    const part = shape.slice(call.number("start", 0), call.number("end", shape.length));
    return [known(part, [part.length], "integer")];
  },
  Size: (call) => [known([sizeOf(call.x().shape)], [], "integer")],
  ConstantOfShape: (call) => {
    const shape = call.numbers(0) ?? call.refuse("has no shape");
    const value = call.attribute("value") as DecodedTensor | undefined;
    const number = value?.values[0] ?? 0;
    return [known(new Float64Array(sizeOf(shape)).fill(number), shape, value?.type ?? "float")];
  },
  Range: (call) => {
    const [start = 0, limit = 0, delta = 1] = [0, 1, 2].map((i) => call.numbers(i)?.[0]);
    const count = Math.max(Math.ceil((limit - start) / delta), 0);
    const values = Float64Array.from({ length: count }, (_, i) => start + i * delta);
    return [known(values, [count], call.x().dtype === "int32" ? "integer" : "float")];
  },
  Reshape: (call) => {
    const shape = call.axes("shape", 1) ?? call.refuse("has no shape");
    const kept = call.number("allowzero", 0) === 1;
    const wanted = shape.map((length, axis) => (length === 0 && !kept ? (call.x().shape[axis] ?? 0) : length));
    return call.x().reshape(call.forRows(wanted, sizeOf(call.x().shape)));
  },
  Flatten: (call) => {
    const { shape } = call.x();
    const axis = call.number("axis", 1);
    const at = placeOf(axis, shape.length);
    return call.x().reshape([sizeOf(shape.slice(0, at)), sizeOf(shape.slice(at))]);
  },
  Transpose: (call) => call.x().permute(call.list("perm") ?? [...call.x().shape.keys()].reverse()),
  Squeeze: (call) => {
    const { shape } = call.x();
    const axes = call.axes("axes", 1)?.map((axis) => placeOf(axis, shape.length));
    return call.x().reshape(shape.filter((length, axis) => (axes ? !axes.includes(axis) : length !== 1)));
  },
  Unsqueeze: (call) => {
    const axes = call.axes("axes", 1) ?? call.refuse("has no axes");
    const rank = call.x().shape.length + axes.length;
    const at = new Set(axes.map((axis) => placeOf(axis, rank)));
    const left = [...call.x().shape];
    return call.x().reshape(Array.from({ length: rank }, (_, axis) => (at.has(axis) ? 1 : (left.shift() ?? 1))));
  },
  Expand: (call) => {
    const shape = call.numbers(1) ?? call.refuse("has no shape");
    const x = call.x();
    const wide = shape.map((length, axis) => {
      const own = x.shape[axis - shape.length + x.shape.length] ?? 1;
      return length === 1 ? own : length;
    });
    return x.broadcastTo([...x.shape.slice(0, Math.max(0, x.shape.length - shape.length)), ...wide]);
  },
  Tile: (call) => {
    const repeats = call.numbers(1) ?? call.refuse("has no repeats");
    const { shape } = call.x();
    const apart = call.x().reshape(shape.flatMap((length) => [1, length]));
    const wide = apart.broadcastTo(shape.flatMap((length, axis) => [repeats[axis] ?? 1, length]));
    return wide.reshape(shape.map((length, axis) => length * (repeats[axis] ?? 1)));
  },
  Slice: (call) => {
    const starts = call.axes("starts", 1) ?? [];
    const ends = call.axes("ends", 2) ?? [];
    const axes = call.axes("axes", 3) ?? [...starts.keys()];
    const steps = call.numbers(4) ?? starts.map(() => 1);
    if (call.value().empty) return [call.value()];
    let x = call.x();
    for (const [i, axis] of axes.entries()) {
      const [start, end, step] = [starts[i] as number, ends[i] as number, steps[i] as number];
      const length = x.shape[placeOf(axis, x.shape.length)] as number;
      const from = Math.max(-length, Math.min(start, length));
      // An end beyond the beginning is how the file says that the first element is taken too.
      const open = step < 0 ? end < -length : end >= length;
      const to = step < 0 ? end : Math.max(-length, end);
      const leavesNothing = step > 0 && !open && placeOf(to, length) <= placeOf(from, length);
      if (x.shape.length === 1 && (leavesNothing || (step > 0 && from === length))) {
        return [known([], [0], x.dtype === "int32" ? "integer" : "float")];
      }
      x = x.slice(axis, from, open ? undefined : to, step);
    }
    return x;
  },
  Pad: (call) => {
    const mode = call.text("mode", "constant");
    const pads = call.axes("pads", 1) ?? call.list("paddings") ?? call.refuse("has no pads");
    const { shape } = call.x();
    const axes = (call.numbers(3) ?? [...shape.keys()]).map((axis) => placeOf(axis, shape.length));
    const widths = shape.map((_, axis) => {
      const i = axes.indexOf(axis);
      return i < 0 ? ([0, 0] as const) : ([pads[i] as number, pads[i + axes.length] as number] as const);
    });
    if (mode === "edge" || mode === "reflect") {
      return widths.reduce((x, [before, after], axis) => {
        if (before === 0 && after === 0) return x;
        const at = outside(x.shape[axis] as number, before, after, mode);
        return x.take(constant(at, [at.length]).toInt32(), axis);
      }, call.x());
    }
    if (mode !== "constant") call.refuse(`pads by ${mode}, which is not known`);
    const value = call.numbers(2)?.[0] ?? call.number("value", 0);
    if (!Number.isFinite(value)) call.refuse(`pads with ${value}, which is not known`);
    return call.x().padded(widths, value);
  },
  Concat: (call) => {
    const parts = call.values().filter((value) => !value.empty);
    if (parts.length === 0) return [known([], [0], call.x().dtype === "int32" ? "integer" : "float")];
    return concat(
      parts.map(({ tensor }) => tensor),
      call.number("axis", 0),
    );
  },
  Split: (call) => {
    const { shape } = call.x();
    const axis = call.number("axis", 0);
    const length = shape[placeOf(axis, shape.length)] as number;
    const count = call.node.outputs.length;
    const parts = call.axes("split", 1) ?? new Array<number>(count).fill(Math.ceil(length / count));
    let from = 0;
    return parts.map((part) => {
      from += part;
      return call.x().slice(axis, from - part, from);
    });
  },
  Gather: (call) => {
    const axis = call.number("axis", 0);
    return call.x().take(fromEnd(call, axis), axis);
  },
  OneHot: (call) => {
    const depth = call.numbers(1)?.[0] ?? call.refuse("has no depth");
    const indices = call.x(0).toInt32();
    const rank = indices.shape.length;
    const hot = indices.add(indices.lt(0).mul(depth).toInt32()).oneHot(depth);
    const at = placeOf(call.number("axis", -1), rank + 1);
    const order = [...Array(rank).keys()];
    const laid = hot.permute([...order.slice(0, at), rank, ...order.slice(at)]);
    const [off, on] = [0, 1].map((i) =>
      call
        .float(2)
        .slice(0, i, i + 1)
        .reshape([]),
    ) as [Tensor, Tensor];
    return laid.mul(on.sub(off)).add(off);
  },
  EyeLike: (call) => {
    const [rows, columns] = call.x().shape as readonly [number, number];
    return iota(rows).add(call.number("k", 0)).reshape([rows, 1]).eq(iota(columns));
  },
  GatherElements: (call) => {
    const axis = call.number("axis", 0);
    const indices = fromEnd(call, axis);
    // But along the axis, what the indices are shorter by is not looked at.
    const x = indices.shape.reduce(
      (part, length, at) => (at === placeOf(axis, indices.shape.length) ? part : part.slice(at, 0, length)),
      call.x(),
    );
    return x.takeAlong(indices, axis);
  },
  DepthToSpace: (call) => {
    const [N, C, H, W] = call.x().shape as readonly [number, number, number, number];
    const size = call.number("blocksize", 1);
    const left = C / size ** 2;
    return call.text("mode", "DCR") === "DCR"
      ? call
          .x()
          .reshape([N, size, size, left, H, W])
          .permute([0, 3, 4, 1, 5, 2])
          .reshape([N, left, H * size, W * size])
      : call
          .x()
          .reshape([N, left, size, size, H, W])
          .permute([0, 1, 4, 2, 5, 3])
          .reshape([N, left, H * size, W * size]);
  },
  SpaceToDepth: (call) => {
    const [N, C, H, W] = call.x().shape as readonly [number, number, number, number];
    const size = call.number("blocksize", 1);
    const cut = call
      .x()
      .reshape([N, C, H / size, size, W / size, size])
      .permute([0, 3, 5, 1, 2, 4]);
    return cut.reshape([N, C * size ** 2, H / size, W / size]);
  },
};

/** Where the elements of an axis come from that is continued at both ends: by the one at the end, or as in a mirror there. */
function outside(length: number, before: number, after: number, mode: "edge" | "reflect"): number[] {
  const period = Math.max(1, 2 * (length - 1));
  return Array.from({ length: before + length + after }, (_, i) => {
    if (mode === "edge") return Math.min(Math.max(i - before, 0), length - 1);
    const at = (((i - before) % period) + period) % period;
    return at < length ? at : period - at;
  });
}
