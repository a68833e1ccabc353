import { checkCount, checkOptions, shown } from "../util/checks";
import { DeviceError } from "../util/errors";
import type { Copies, Program } from "./program";

/** Workgroups along an axis of a dispatch that every adapter takes. */
const SIDE_BY_SIDE = 65_535;

/**
 * The options of `compile`, checked against a program that can run. Throws RangeError for a number of copies that is none, TypeError for
 * an option or a name that is not there, DeviceError for more copies than WebGPU runs side by side.
 */
export function checkCopies(
  { inputs, updates = {} }: Program,
  options: { copies?: number; own?: readonly string[]; shared?: readonly string[] },
  backend: "webgpu" | "cpu",
): Copies {
  checkOptions("compile", options, ["copies", "own", "shared"]);
  const { copies = 1, own = [], shared = [] } = options;
  checkCount("compile", "copies", copies);
  if (backend === "webgpu" && copies > SIDE_BY_SIDE) {
    throw new DeviceError(
      `compile: ${copies} copies are more than WebGPU runs side by side, ${SIDE_BY_SIDE}; compile fewer, several times`,
    );
  }
  if (!Array.isArray(own))
    throw new TypeError(`compile: own is ${shown(own)}; it must be a list of names of inputs, such as ["seed"]`);
  for (const name of own) {
    if (typeof name !== "string" || !Object.hasOwn(inputs, name)) {
      throw new TypeError(
        `compile: own has ${shown(name)}, which is no input; inputs are ${Object.keys(inputs).join(", ") || "none"}`,
      );
    }
  }
  const changed = shared.find((name) => Object.hasOwn(updates, name));
  if (changed !== undefined) throw new Error(`internal: "${changed}" is shared by all copies, and a step changes it`);
  return { count: copies, own: new Set(own), shared: new Set(shared) };
}

/** Values that hold one copy after another, of copy `copy` alone. */
export function valuesOfCopy<A extends Float32Array | Float64Array | Int32Array>(
  values: A,
  copy: number,
  copies: number,
): A {
  const size = values.length / copies;
  return values.subarray(copy * size, (copy + 1) * size) as A;
}

/** Arrays of each copy, one after another in one. */
export function joinedCopies(arrays: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    joined.set(array, at);
    at += array.length;
  }
  return joined;
}
