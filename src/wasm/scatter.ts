import { canonical, isAligned } from "../graph/view";
import { accessesOf, type Expression, walk } from "../plan/expression";
import type { ScatterGroup } from "../plan/group";
import { sizeOf } from "../util/shape";
import { Axes, overVectors } from "./domain";
import { emitPoints } from "./elementwise";
import { FLAT, type Kernel } from "./kernel";
import { LANE_BYTES } from "./lane";
import * as O from "./opcodes";
import type { Frame } from "./values";

/** x where the result is to be; then every value added to its place, in the order of memory; then what follows, element by element. */
export function emitScatter(kernel: Kernel, { scatter, root }: ScatterGroup): void {
  const { fusion, group, places } = kernel;
  const { outer, rows, inner, count, x, indices, values } = scatter;
  const expression = (node: typeof x) => fusion.expression(group, node);
  const address = places.addressOf(root);
  const none = () => undefined;

  const start = expression(x);
  const lies = start.kind === "load" && isAligned(start.access) && places.addressOf(start.tensor) === address;
  if (!lies) {
    const frame = frameOf([outer, rows, inner], [start]);
    kernel.pieces.piece(1, 0, () =>
      overVectors(kernel.f.root, frame.axes.lengths, (scope, sites) => {
        for (const site of sites) {
          const each = kernel.values(frame, site, none);
          each.store(scope, address, each.value(start));
        }
      }),
    );
  }

  const [by, added] = [expression(indices), expression(values)];
  const column = canonical([outer, count, inner], [rows * inner, 0, 1]);
  const frame = frameOf([outer, count, inner], [by, added]);
  frame.axes.admit(column);
  const strides = frame.axes.strides(column);
  if (strides === null) throw new Error("internal: a scatter whose columns have no strides");
  const within = { ...frame, flat: frame.axes.strides(FLAT(outer * count * inner)) ?? [] };
  // In the order of memory, and of the lanes: so each column gets its values in their order.
  kernel.pieces.piece(1, 0, () =>
    overVectors(kernel.f.root, frame.axes.lengths, (scope, sites) => {
      for (const site of sites) {
        const { f } = kernel;
        const each = kernel.values(within, site, none);
        const held = f.op(O.I_MIN, f.op(O.I_MAX, each.value(by), f.integer(0)), f.integer(rows - 1));
        each.addTo(scope, address, strides, { row: held, rowBytes: inner * LANE_BYTES }, each.value(added));
      }
    }),
  );

  const records = places.recordsOf(root).length > 0;
  if (!records && group.members.length + group.partials.length === 0) return;
  // What was read before has changed.
  kernel.f.root.forget();
  emitPoints(kernel, [group.size], {
    node: root,
    accesses: [],
    value: (each, { flat }) => each.at(address, flat),
    store: records,
  });
}

/** The domain of `shape`, cut as the expressions need it. */
function frameOf(shape: readonly number[], expressions: readonly Expression[]): Frame {
  const axes = new Axes(shape);
  walk(expressions, (expression) => {
    for (const access of accessesOf(expression)) if (sizeOf(access.shape) === sizeOf(shape)) axes.admit(access);
  });
  return { axes, through: (access) => access, flat: axes.strides(FLAT(sizeOf(shape))) ?? [] };
}
