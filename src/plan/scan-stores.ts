import type { Tensor } from "../graph/tensor";
import { sizeOf } from "../util/shape";
import { type ScanGroup, valuesOf } from "./group";
import type { Storage } from "./storage";

/** Where the values of a scan's step lie: one place for each, used again in every step. */
export interface StepStores {
  storageOf(tensor: Tensor): Storage;
  /** What the kernels need beside the scan's operands and items, those of scans in the step among it. */
  readonly own: readonly Storage[];
}

const known = new WeakMap<ScanGroup, StepStores>();

export function stepStoresOf(group: ScanGroup): StepStores {
  const made = known.get(group) ?? makeStepStores(group);
  known.set(group, made);
  return made;
}

function makeStepStores({ scan }: ScanGroup): StepStores {
  const { node, fusion, order } = scan;
  const storages = new Map<Tensor, Storage>();
  const storageOf = (tensor: Tensor): Storage => {
    const made = storages.get(tensor) ?? {
      name: `${tensor.op} ${storages.size} of a step`,
      elements: sizeOf(tensor.shape),
      dtype: tensor.dtype,
    };
    storages.set(tensor, made);
    return made;
  };
  const { carries } = node.body;
  const values = order.flatMap(valuesOf).filter((value) => fusion.stored.has(value));
  const nested = order.flatMap((inner) => (inner.kind === "scan" ? stepStoresOf(inner).own : []));
  return { storageOf, own: [...[...carries, ...values].map(storageOf), ...nested] };
}
