import type { Access } from "../../graph/view";
import { indent } from "../../kernels/specialise";
import type { OperandSpec } from "../../kernels/tiling";
import { accessesOf, type Expression, walk } from "../../plan/expression";
import type { Site } from "./site";
import { type Axis, Body, flatAt, type Point } from "./wgsl";

/** Indices that a place of an operand has at most: of what is read, and of what must lie within bounds. */
const MOST = 4;
const PARTS = ["x", "y", "z", "w"] as const;

/**
 * An operand of a product that is read through a view, as WGSL functions. Where each index is a sum of a part along K and a part across it,
 * these are functions of their own: a thread takes what is across once, and divides in its loop once for each k and not for each element.
 */
export function viewOperand(
  site: Site,
  name: string,
  expression: Expression,
  batch: Axis,
  [rows, columns]: readonly [Axis, Axis],
): OperandSpec {
  const axes = [...(batch.length > 1 ? [batch] : []), rows, columns];
  const accesses: Access[] = [];
  walk([expression], (part) => {
    for (const access of accessesOf(part)) if (!accesses.includes(access)) accesses.push(access);
  });
  const split = accesses.map((access) => termsOf(axes, access));
  const operand = { name, batchStride: null, vectors: false } as const;
  const whole = split.every((terms) => terms !== null) && accesses.length >= 1 && accesses.length <= MOST;
  if (!whole) {
    const body = new Body(site.point("at", axes, new Map()), "v");
    const value = body.value(expression);
    const text = functionOf(`${name}(${rows.name}: u32, ${columns.name}: u32) -> f32`, [
      `let at = ${flatAt(batch, rows, columns)};`,
      ...body.lines,
      `return ${value};`,
    ]);
    return { ...operand, separate: false, text };
  }
  const type = accesses.length === 1 ? "u32" : `vec${accesses.length}u`;
  const place = (access: Access) => (accesses.length === 1 ? "place" : `place.${PARTS[accesses.indexOf(access)]}`);
  const index = (access: Access) => (access.last === null ? place(access) : `min(${place(access)}, ${access.last}u)`);
  const point: Point = {
    ...site.point("", [], new Map()),
    index,
    load: (tensor, access) => site.load(tensor, index(access)),
  };
  const body = new Body(point, "v");
  const value = body.value(expression);
  const along = (axis: Axis, other: Axis | null) => {
    const sums = split.map((terms, i) => {
      const own = (terms as ReadonlyMap<Axis, string[]>).get(axis) ?? [];
      const rest = other === null ? [] : ((terms as ReadonlyMap<Axis, string[]>).get(other) ?? []);
      const { offset } = accesses[i] as Access;
      const first = other === null || offset === 0 ? [] : [`${offset >>> 0}u`];
      const all = [...rest, ...own, ...first];
      return all.length === 0 ? "0u" : all.join(" + ");
    });
    return accesses.length === 1 ? (sums[0] as string) : `${type}(${sums.join(", ")})`;
  };
  const ofK = rows.name === "k" ? rows : columns;
  const across = ofK === rows ? columns : rows;
  const text = [
    functionOf(`${name}Along(${ofK.name}: u32) -> ${type}`, [`return ${along(ofK, null)};`]),
    functionOf(`${name}Across(${across.name}: u32) -> ${type}`, [`return ${along(across, batch)};`]),
    functionOf(`${name}(place: ${type}) -> f32`, [...body.lines, `return ${value};`]),
  ].join("");
  return { ...operand, separate: true, text };
}

function functionOf(head: string, lines: readonly string[]): string {
  return `fn ${head} {\n${indent(lines, 2)}}\n`;
}

/**
 * What each axis of a domain adds to an access's index, as terms; null where an axis of the access lies across two of them. An axis of the
 * access that several axes of the domain make up is cut where they meet.
 */
export function termsOf(axes: readonly Axis[], { shape, strides }: Access): Map<Axis, string[]> | null {
  const found = new Map<Axis, string[]>();
  let at = axes.length - 1;
  let passed = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    let left = shape[axis] as number;
    let stride = strides[axis] as number;
    while (left > 1) {
      while (at > 0 && passed === axes[at]?.length) {
        at--;
        passed = 1;
      }
      const within = axes[at] as Axis;
      const room = within.length / passed;
      const taken = Math.min(left, room);
      if (!Number.isInteger(room) || left % taken !== 0 || room % taken !== 0) return null;
      if (stride !== 0) {
        const divided = passed === 1 ? within.name : `${within.name} / ${passed}u`;
        const coordinate = taken === room ? divided : `${passed === 1 ? divided : `(${divided})`} % ${taken}u`;
        const term = stride === 1 ? coordinate : `(${coordinate}) * ${stride >>> 0}u`;
        found.set(within, [term, ...(found.get(within) ?? [])]);
      }
      passed *= taken;
      left /= taken;
      stride *= taken;
    }
  }
  return found;
}
