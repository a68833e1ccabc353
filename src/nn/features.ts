import type { Device } from "../device";
import { bytesOf } from "../graph/ops";
import type { Program } from "../graph/program";
import { input, parameter, type Tensor } from "../graph/tensor";
import { sizeOf } from "../util/shape";
import type { Rows } from "./dataset";
import { LAYER_ELEMENTS } from "./forward";
import { Chain } from "./layers/chain";
import type { Sequential } from "./model";
import { LayerPass } from "./pass";
import type { Arrays } from "./state";

/** Bytes that what the frozen layers make of all rows may have. */
const MOST_BYTES = 2 ** 26;

/** A network whose first layers make the same of a row at every step. */
export interface Parted {
  /** Those layers. */
  readonly first: Sequential;
  /** The others, which train on what the first make. */
  readonly rest: Sequential;
}

/**
 * The part of a network that training cannot change, and that sees each row alone: all the first layers whose parameters are frozen, that
 * draw no random numbers and move no statistics, batchNorm with its "running_mean" frozen among them. Null where there is none. A layer of the user's own ends it: what that
 * does with a batch cannot be known. So does a frozen l2, which is a part of the loss.
 */
export function frozenPart(model: Sequential, frozen: (name: string) => boolean): Parted | null {
  if (!(model.whole instanceof Chain)) return null;
  let count = 0;
  let held = 0;
  for (const { layer, index, inputs } of model.whole.places(model.inputShape)) {
    const arrays = Object.entries(layer.held(inputs));
    const stays = ([name, { state, l2 = 0 }]: (typeof arrays)[number]) =>
      (state || frozen(`${index}.${name}`)) && l2 === 0;
    if (layer.mayMixRows || !arrays.every(stays)) break;
    // What it does with a step is seen by giving it one.
    let asked = false;
    const becomes: Record<string, Tensor> = {};
    const counter = () => {
      asked = true;
      return input([], "int32");
    };
    const own = Object.fromEntries(arrays.map(([name, { shape }]) => [name, parameter(shape)]));
    const x = input([2, ...inputs], layer.vocabulary === null ? "float32" : "int32");
    layer.apply(x, own, new LayerPass({ counter, present: null, frozen, becomes }, 0).within(`${index}.`, index));
    if (asked || Object.keys(becomes).length > 0) break;
    count++;
    held += arrays.length;
  }
  return held === 0 ? null : model.parted(count);
}

/** Whether what the first layers make of so many rows is small enough to be kept. */
export function isSmall({ rest }: Parted, rows: number): boolean {
  return bytesOf("float32") * rows * rest.inputs <= MOST_BYTES;
}

/** `sets` of rows with what `first` makes of their x in its place; some rows at a time, on the device. */
export async function featuresOf<R extends Rows>(
  device: Device,
  first: Sequential,
  weights: Arrays,
  sets: readonly R[],
): Promise<R[]> {
  const most = Math.max(1, Math.floor(LAYER_ELEMENTS / first.widest));
  const count = Math.max(...sets.map((rows) => rows.count));
  const chunk = Math.ceil(count / Math.ceil(count / most)); // of about the same size all, since the last is filled up
  const held = Object.fromEntries(Object.entries(first.held).map(([name, { shape }]) => [name, parameter(shape)]));
  const x = input([chunk, first.inputs]);
  const width = sizeOf(first.outputShape);
  const features = first.forward(x, held).reshape([chunk, width]);
  const program: Program = { inputs: { x }, parameters: held, outputs: { features } };
  const session = await device.compile(program);
  try {
    session.write(Object.fromEntries(Object.keys(held).map((name) => [name, weights[name] as Float32Array])));
    const made: R[] = [];
    for (const rows of sets) {
      const all = new Float32Array(rows.count * width);
      for (let from = 0; from < rows.count; from += chunk) {
        const part = new Float32Array(chunk * first.inputs);
        part.set(rows.x.subarray(from * first.inputs, Math.min(from + chunk, rows.count) * first.inputs));
        const { features } = await session.run({ x: part });
        all.set(
          (features as Float32Array).subarray(0, (Math.min(from + chunk, rows.count) - from) * width),
          from * width,
        );
      }
      made.push({ ...rows, x: all });
    }
    return made;
  } finally {
    session.dispose();
  }
}
