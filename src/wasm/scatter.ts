import type { Tensor } from "../graph/tensor";
import { canonical } from "../graph/view";
import { accessesOf, type Expression, walk } from "../plan/expression";
import type { ScatterGroup } from "../plan/group";
import { scatteringOf } from "../plan/nest-scatter";
import { sizeOf } from "../util/shape";
import { Axes, overVectors } from "./domain";
import { emitPoints } from "./elementwise";
import { FLAT, type Kernel } from "./kernel";
import { LANE_BYTES } from "./lane";
import * as O from "./opcodes";
import type { Value } from "./scope";
import type { Frame } from "./values";

/** x where the result is to be; then every value added to its place, in the order of memory; then what follows, element by element. */
export function emitScatter(kernel: Kernel, group: ScatterGroup): void {
  const { fusion, places } = kernel;
  const { begin, additions, end } = scatteringOf(fusion, group, places, (tensor) => places.addressOf(tensor));
  const { outer, rows, inner, count, into, row, value } = additions;
  const address = places.addressOf(into);

  if (begin !== null) {
    const frame = frameOf(
      [outer, rows, inner],
      begin.body.flatMap((statement) => (statement.kind === "store" ? [] : [statement.value])),
    );
    kernel.pieces.piece(1, 0, () =>
      overVectors(kernel.f.root, frame.axes.lengths, (scope, sites) => {
        for (const site of sites) {
          const known = new Map<Tensor, Value>();
          kernel.emit(
            scope,
            begin.body,
            kernel.values(frame, site, (tensor) => known.get(tensor)),
            known,
            none,
          );
        }
      }),
    );
  }

  const column = canonical([outer, count, inner], [rows * inner, 0, 1]);
  const frame = frameOf([outer, count, inner], [row, value]);
  frame.axes.admit(column);
  const strides = frame.axes.strides(column);
  if (strides === null) throw new Error("internal: a scatter whose columns have no strides");
  const within = { ...frame, flat: frame.axes.strides(FLAT(outer * count * inner)) ?? [] };
  // In the order of memory, and of the lanes: so each column gets its values in their order.
  kernel.pieces.piece(1, 0, () =>
    overVectors(kernel.f.root, frame.axes.lengths, (scope, sites) => {
      for (const site of sites) {
        const { f } = kernel;
        const each = kernel.values(within, site, () => undefined);
        const held = f.op(O.I_MIN, f.op(O.I_MAX, each.value(row), f.integer(0)), f.integer(rows - 1));
        each.addTo(scope, address, strides, { row: held, rowBytes: inner * LANE_BYTES }, each.value(value));
      }
    }),
  );

  if (end === null) return;
  // What was read before has changed.
  kernel.f.root.forget();
  emitPoints(kernel, [group.size], end, {
    node: into,
    accesses: [],
    value: (each, { flat }) => each.at(address, flat),
  });
}

function none(): never {
  throw new Error("internal: a scatter begins a reduction before it is done");
}

/** The domain of `shape`, cut as the expressions need it. */
function frameOf(shape: readonly number[], expressions: readonly Expression[]): Frame {
  const axes = new Axes(shape);
  walk(expressions, (expression) => {
    for (const access of accessesOf(expression)) if (sizeOf(access.shape) === sizeOf(shape)) axes.admit(access);
  });
  return { axes, through: (access) => access, flat: axes.strides(FLAT(sizeOf(shape))) ?? [] };
}
