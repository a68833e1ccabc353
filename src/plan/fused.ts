import type { Program } from "../graph/program";
import type { Tensor } from "../graph/tensor";
import { fuse } from "./fuse";
import { schedule } from "./schedule";
import { simplify } from "./simplify";

/**
 * The kernels that the planner makes of a step, in their order, each with the program's tensors that it computes. In none
 * of them are leaves, views, and what is simplified away. A device may split a kernel, or run several as one.
 */
export function fusedKernels({ parameters, outputs, updates = {} }: Program): Tensor[][] {
  const results = simplify([...Object.values(outputs), ...Object.values(updates)]);
  const simplified = (tensor: Tensor) => results.get(tensor) as Tensor;
  const computed = (tensor: Tensor) => tensor.operands.length > 0; // the rest is copied, not computed
  const written = Object.entries(updates).flatMap(([name, tensor]) => {
    const [parameter, node] = [parameters[name] as Tensor, simplified(tensor)];
    return computed(node) ? [{ parameter, node }] : [];
  });
  const wanted = Object.values(outputs).map(simplified).filter(computed);
  const fusion = fuse(wanted, written, { maxBuffers: Infinity });
  const { order } = schedule(fusion, new Map(written.map(({ parameter, node }) => [parameter, node])));
  const kernels = new Map(
    [...order, ...(fusion.deferred ? [fusion.deferred] : [])].map((group) => [group, [] as Tensor[]]),
  );
  for (const [tensor, node] of results) {
    const home = fusion.home.get(node);
    if (home && tensor.operands.length > 0) kernels.get(home)?.push(tensor);
  }
  return [...kernels.values()];
}
