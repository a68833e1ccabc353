import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import { scan } from "../../graph/scan";
import { literal, type Tensor } from "../../graph/tensor";
import { checkCount, checkFlag, checkOptions } from "../../util/checks";
import { ShapeError } from "../../util/errors";
import { formatShape, type Shape } from "../../util/shape";
import { type Held, type Layer, Part } from "./layer";

type State = Record<string, Tensor>;

/** What is particular to a kind of cell. */
interface Cell {
  readonly name: "gru" | "lstm";
  /** How many parts its weights have, one behind another. */
  readonly gates: number;
  /** What it carries from step to step; `h` is what it gives. */
  readonly state: readonly string[];
  /** One step: `gates` [rows, gates · units] of x with the input's bias, the state, and the recurrent weight and bias. */
  step(gates: Tensor, state: State, weight: Tensor, bias: Tensor, units: number): State;
  /** ONNX's operator, which PyTorch calls its module too, the order in which it has the gates, and its attributes. */
  readonly onnx: {
    readonly op: "GRU" | "LSTM";
    readonly order: readonly number[];
    readonly attributes: Record<string, number>;
  };
}

const gate = (gates: Tensor, i: number, units: number) => gates.slice(-1, i * units, (i + 1) * units);

/** r = σ(Wx + b + Uh + c), z likewise, n = tanh(Wx + b + r (Uh + c)), h' = (1 - z) n + z h: as PyTorch has it. Source: Cho et al. 2014. */
const GRU: Cell = {
  name: "gru",
  gates: 3,
  state: ["h"],
  step(gates, state, weight, bias, units) {
    const h = state.h as Tensor;
    const own = h.matmul(weight.T).add(bias);
    const r = gate(gates, 0, units)
      .add(gate(own, 0, units))
      .sigmoid();
    const z = gate(gates, 1, units)
      .add(gate(own, 1, units))
      .sigmoid();
    const n = gate(gates, 2, units)
      .add(r.mul(gate(own, 2, units)))
      .tanh();
    return { h: n.add(z.mul(h.sub(n))) };
  },
  onnx: { op: "GRU", order: [1, 0, 2], attributes: { linear_before_reset: 1 } },
};

/** i, f, o = σ(Wx + b + Uh + c), g = tanh(…), c' = f c + i g, h' = o tanh(c'). Source: Hochreiter and Schmidhuber 1997, Gers et al. 2000. */
const LSTM: Cell = {
  name: "lstm",
  gates: 4,
  state: ["h", "c"],
  step(gates, state, weight, bias, units) {
    const all = gates.add((state.h as Tensor).matmul(weight.T)).add(bias);
    const [i, f, o] = [0, 1, 3].map((at) => gate(all, at, units).sigmoid()) as [Tensor, Tensor, Tensor];
    const c = f.mul(state.c as Tensor).add(i.mul(gate(all, 2, units).tanh()));
    return { h: o.mul(c.tanh()), c };
  },
  onnx: { op: "LSTM", order: [0, 3, 1, 2], attributes: {} },
};

class Recurrent extends Part {
  static override readonly name = "Layer";
  readonly name: string;
  readonly #cell: Cell;

  constructor(
    cell: Cell,
    readonly units: number,
    readonly sequences: boolean,
  ) {
    super();
    this.#cell = cell;
    this.name = cell.name;
  }

  override output(inputs: Shape): Shape {
    if (inputs.length !== 2)
      throw new ShapeError(`${this.name} takes [T, features], and is given ${formatShape(inputs)}.`);
    return this.sequences ? [inputs[0] as number, this.units] : [this.units];
  }

  override held(inputs: Shape): Record<string, Held> {
    const { units } = this;
    const wide = this.#cell.gates * units;
    const limit = 1 / Math.sqrt(units);
    const uniform = (...shape: number[]): Held => ({
      shape,
      first: (random) =>
        random.uniform(
          -limit,
          limit,
          shape.reduce((a, b) => a * b),
        ),
    });
    return {
      weight_ih_l0: uniform(wide, inputs[1] as number),
      weight_hh_l0: uniform(wide, units),
      bias_ih_l0: uniform(wide),
      bias_hh_l0: uniform(wide),
    };
  }

  apply(x: Tensor, held: Record<string, Tensor>): Tensor {
    const { units, sequences } = this;
    const cell = this.#cell;
    const [weight, bias] = [held.weight_hh_l0 as Tensor, held.bias_hh_l0 as Tensor];
    // What the inputs give to all steps is one product beforehand, of rows that are in the steps' order already: they are narrower than it.
    const gates = x
      .permute([1, 0, 2])
      .matmul((held.weight_ih_l0 as Tensor).T)
      .add(held.bias_ih_l0 as Tensor);
    const zeros = literal(0).broadcastTo([x.shape[0] as number, units]);
    const { carry, ys } = scan(
      (state: State, each) => {
        const next = cell.step(each, state, weight, bias, units);
        return { carry: next, y: next.h as Tensor };
      },
      Object.fromEntries(cell.state.map((name) => [name, zeros])),
      gates,
    );
    return sequences ? ys.permute([1, 0, 2]) : (carry.h as Tensor);
  }

  onnx(to: OnnxNodes, x: string, own: (name: string) => string): string {
    const { units, sequences } = this;
    const { op, order, attributes } = this.#cell.onnx;
    const whole = (name: string, shape: readonly number[] | undefined, ...values: number[]) =>
      to.constant(name, BigInt64Array.from(values, BigInt), shape);
    // Rows of a weight by gates, in the operator's order, and one direction.
    const rows = order.flatMap((part) => Array.from({ length: units }, (_, i) => part * units + i));
    const turned = (name: string) =>
      to.node("Gather", [own(name), whole(`${name} order`, undefined, ...rows)], { axis: 0 });
    const one = (name: string) => to.node("Unsqueeze", [turned(name), whole(`${name} axis`, undefined, 0)]);
    const bias = to.node("Concat", [one("bias_ih_l0"), one("bias_hh_l0")], { axis: 1 });
    const sequence = to.node("Transpose", [x], { perm: [1, 0, 2] });
    const ys = to.node(op, [sequence, one("weight_ih_l0"), one("weight_hh_l0"), bias], {
      hidden_size: units,
      ...attributes,
    });
    const forward = to.node("Squeeze", [ys, whole("direction", undefined, 1)]);
    return sequences
      ? to.node("Transpose", [forward], { perm: [1, 0, 2] })
      : to.node("Gather", [forward, whole("last", [], -1)], { axis: 0 });
  }

  pytorch(to: TorchModules, inputs: Shape): TorchModule[] {
    const { units, sequences } = this;
    return [to.own(this.#cell.onnx.op, [inputs[1] as number, units], { sequences })];
  }
}

function recurrent(cell: Cell, units: number, options: { sequences?: boolean }): Layer {
  checkOptions(cell.name, options, ["sequences"]);
  checkCount(cell.name, "units", units);
  const { sequences = false } = options;
  checkFlag(cell.name, "sequences", sequences);
  return new Recurrent(cell, units, sequences);
}

/**
 * A gated recurrent unit over a sequence from zeros: x [rows, T, features] -> the last output [rows, units], or all of them
 * [rows, T, units] where `sequences`. PyTorch's GRU (batch_first), its names and the order of its gates. Throws RangeError or TypeError.
 */
export function gru(units: number, options: { sequences?: boolean } = {}): Layer {
  return recurrent(GRU, units, options);
}

/** A long short-term memory, as `gru`: PyTorch's LSTM. */
export function lstm(units: number, options: { sequences?: boolean } = {}): Layer {
  return recurrent(LSTM, units, options);
}
