import { shown } from "../util/checks";
import { closeOver, leafOf, replaced } from "./scan-node";
import { Tensor, topological } from "./tensor";

/** What a checkpoint computes, of leaves that stand for its operands. */
interface CheckpointBody {
  readonly leaves: readonly Tensor[];
  readonly result: Tensor;
}

/**
 * A part of a graph of which only the result is kept: for a derivative it is computed again, from its operands. Compiled, it is what it
 * is made of.
 */
export class Checkpoint extends Tensor {
  constructor(
    operands: readonly Tensor[],
    private readonly body: CheckpointBody,
  ) {
    super("checkpoint", operands, body.result.shape, body.result.dtype);
  }

  override withOperands(operands: readonly Tensor[]): Checkpoint {
    return new Checkpoint(operands, this.body);
  }

  /** What it is made of, with `operands` in the places of its own. */
  parts(operands: readonly Tensor[] = this.operands): Tensor {
    const { leaves, result } = this.body;
    return replaced([result], new Map(leaves.map((leaf, i) => [leaf, operands[i] as Tensor])))[0] as Tensor;
  }

  /** Its operands and its result once more, as nodes that are equal to no others: what a derivative is made of. */
  again(): { operands: Tensor[]; result: Tensor } {
    const operands = this.operands.map(
      (operand) => new Tensor("reshape", [operand], operand.shape, operand.dtype, { again: true }),
    );
    return { operands, result: this.parts(operands) };
  }
}

/**
 * What `of` makes of some tensors, so that a derivative computes again what lies between them and the result, and training does not keep
 * it: less memory for more arithmetic. `of` is called once, with tensors that stand for `inputs`; others that it reads are as they are
 * outside. Throws TypeError where something is no tensor. Source: Chen et al. 2016.
 */
export function checkpoint(of: (...inputs: Tensor[]) => Tensor, ...inputs: readonly Tensor[]): Tensor {
  if (typeof of !== "function") throw new TypeError(`checkpoint: ${shown(of)} is not a function of tensors`);
  for (const each of inputs)
    if (!(each instanceof Tensor)) throw new TypeError(`checkpoint: an input is ${shown(each, Tensor)}, not a Tensor`);
  if (inputs.length === 0)
    throw new TypeError("checkpoint: there are no inputs; give the tensors that the function is of");
  const own = inputs.map(({ shape, dtype }) => leafOf(shape, dtype));
  const made = of(...own);
  if (!(made instanceof Tensor))
    throw new TypeError(`checkpoint: the function gave ${shown(made, Tensor)}; it must give a Tensor`);
  const { closed, inside, body } = closeOver([made], own);
  const [result] = body as [Tensor];
  const used = new Set(topological([result]));
  const all = [...own, ...inside];
  const kept = [...inputs, ...closed].filter((_, i) => used.has(all[i] as Tensor));
  return new Checkpoint(kept, { leaves: all.filter((leaf) => used.has(leaf)), result });
}
