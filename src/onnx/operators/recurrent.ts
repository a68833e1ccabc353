import { concat, stack } from "../../graph/join";
import { scan } from "../../graph/scan";
import { literal, type Tensor } from "../../graph/tensor";
import type { Call, Operators } from "../call";

type State = Record<string, Tensor>;

/** What is particular to a kind of cell: its gates stand one behind another in W, R and B, in ONNX's order. */
interface Cell {
  readonly gates: number;
  readonly state: readonly string[];
  readonly activations: readonly string[];
  /** One step, of what the inputs give to each gate [rows, gates · units], and R [gates · units, units] and its bias. */
  step(given: Tensor, state: State, R: Tensor, bias: Tensor, units: number, call: Call): State;
}

const gate = (gates: Tensor, i: number, units: number) => gates.slice(-1, i * units, (i + 1) * units);

const LSTM: Cell = {
  gates: 4,
  state: ["h", "c"],
  activations: ["Sigmoid", "Tanh", "Tanh"],
  step(given, state, R, bias, units) {
    const all = given.add((state.h as Tensor).matmul(R.T)).add(bias);
    const [i, o, f] = [0, 1, 2].map((at) => gate(all, at, units).sigmoid()) as [Tensor, Tensor, Tensor];
    const c = f.mul(state.c as Tensor).add(i.mul(gate(all, 3, units).tanh()));
    return { h: o.mul(c.tanh()), c };
  },
};

const GRU: Cell = {
  gates: 3,
  state: ["h"],
  activations: ["Sigmoid", "Tanh"],
  step(given, state, R, bias, units, call) {
    const h = state.h as Tensor;
    const own = h.matmul(R.T).add(bias);
    const [z, r] = [0, 1].map((at) =>
      gate(given, at, units)
        .add(gate(own, at, units))
        .sigmoid(),
    ) as [Tensor, Tensor];
    // The reset comes behind the product, as PyTorch has it, or before.
    const reset =
      call.number("linear_before_reset", 0) === 1
        ? r.mul(gate(own, 2, units))
        : r
            .mul(h)
            .matmul(R.slice(0, 2 * units).T)
            .add(bias.slice(0, 2 * units));
    const n = gate(given, 2, units).add(reset).tanh();
    return { h: n.add(z.mul(h.sub(n))) };
  },
};

const RNN: Cell = {
  gates: 1,
  state: ["h"],
  activations: ["Tanh"],
  step: (given, state, R, bias) => ({
    h: given
      .add((state.h as Tensor).matmul(R.T))
      .add(bias)
      .tanh(),
  }),
};

/** Networks that go step by step over the first axis of X [T, rows, features]. */
export const RECURRENT: Operators = {
  LSTM: (call) => recurrent(call, LSTM),
  GRU: (call) => recurrent(call, GRU),
  RNN: (call) => recurrent(call, RNN),
};

function recurrent(call: Call, cell: Cell): Tensor[] {
  const batchFirst = call.number("layout", 0) === 1;
  const direction = call.text("direction", "forward");
  const units = call.number("hidden_size", 0) || (call.x(2).shape[2] as number);
  const x = batchFirst ? call.x().permute([1, 0, 2]) : call.x();
  const [T, rows] = x.shape as readonly [number, number];
  const wanted = direction === "bidirectional" ? [...cell.activations, ...cell.activations] : cell.activations;
  const given = call.attribute("activations");
  if (Array.isArray(given) && given.join().toLowerCase() !== wanted.join().toLowerCase())
    call.refuse(`has the activations ${given.join(", ")}, which are not known`);
  if (call.attribute("clip") !== undefined) call.refuse("has clip, which is not known");
  if (call.number("input_forget", 0) === 1) call.refuse("has input_forget, which is not known");
  if (call.has(7)) call.refuse("has peepholes, which are not known");
  if (call.numbers(4)?.some((length) => length !== T))
    call.refuse(`has sequences of different lengths, which are not known; all must be ${T}`);
  const wide = cell.gates * units;
  const ways = direction === "bidirectional" ? [false, true] : [direction === "reverse"];
  const results = ways.map((reverse, way) => {
    const own = (i: number) =>
      call
        .x(i)
        .slice(0, way, way + 1)
        .reshape(call.x(i).shape.slice(1));
    const bias = call.has(3) ? own(3) : literal(0).broadcastTo([2 * wide]);
    const begin = cell.state.map((name, i): [string, Tensor] => {
      const first = call.has(5 + i) ? call.x(5 + i) : null;
      if (first === null) return [name, literal(0).broadcastTo([rows, units])];
      return [name, first.slice(batchFirst ? 1 : 0, way, way + 1).reshape([rows, units])];
    });
    // What the inputs give to all steps is one product beforehand.
    const gates = x.matmul(own(1).T).add(bias.slice(0, 0, wide));
    const [R, recurrentBias] = [own(2), bias.slice(0, wide)];
    return scan(
      (state: State, each) => {
        const next = cell.step(each, state, R, recurrentBias, units, call);
        return { carry: next, y: next.h as Tensor };
      },
      Object.fromEntries(begin),
      gates,
      { reverse },
    );
  });
  const ends = cell.state.map((name) =>
    stack(
      results.map(({ carry }) => carry[name] as Tensor),
      batchFirst ? 1 : 0,
    ),
  );
  const all = results.map(({ ys }) => ys.reshape([T, 1, rows, units]));
  const ys = all.length === 1 ? (all[0] as Tensor) : concat(all, 1);
  return [batchFirst ? ys.permute([2, 0, 1, 3]) : ys, ...ends];
}
