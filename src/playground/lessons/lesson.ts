import { fusedKernels, type Program, reference, type Tensor, type Values } from "../../index";
import { openDevice } from "../training/device";
import { type Form, moons, rowBiases, type Seed, twoLayer, twoTwoOne } from "../verify/seeds";
import { startedSeeds } from "../verify/starts";

export interface LessonNode {
  id: number;
  op: string;
  /** What the program calls it, else the operation. */
  name: string;
  shape: number[];
  operands: number[];
  /** 0 is where the leaves stand. */
  column: number;
  pass: "given" | "forward" | "backward" | "update";
  /** The first rows and columns. */
  values: number[][];
}

export interface Kernel {
  number: number;
  nodes: number[];
}

export interface Lesson {
  nodes: LessonNode[];
  kernels: Kernel[];
  explained: string;
  loss: number;
  /** Each parameter's gradient as this form has it beside the derivative of the loss: the largest difference and value. */
  gradients: { name: string; difference: number; largest: number }[];
}

const SHOWN = 6;
const BUILD: Record<string, (form: Form) => Seed> = {
  "seed-000": twoLayer,
  "seed-001": rowBiases,
  "seed-002": twoLayer,
  "seed-003": twoTwoOne,
  "seed-004": (form) => moons(form, 3),
};

/** Takes the steps of the seed programs apart; in a worker, since float64 takes its time. */
export class Lessons {
  async lesson(id: string, form: Form, step: number): Promise<Lesson> {
    const started = startedSeeds().find((each) => each.id === id);
    const build = BUILD[id];
    if (!started || !build) throw new RangeError(`There is no lesson "${id}".`);
    const seed = build(form);
    const { program } = seed;
    const state = stateAfter(program, started.parameters, started.inputs, step);
    const tensors = graphOf(program);
    const values = valuesOf(program, tensors, state, started.inputs);

    const device = await openDevice("auto");
    const session = await device.compile(program);
    const explained = session.explain();
    device.close();

    const names = namesOf(seed);
    const forward = new Set(reached(Object.values(program.outputs)));
    const updates = new Set(Object.values(program.updates ?? {}));
    const columns = columnsOf(tensors);
    const nodes = tensors.map(
      (tensor): LessonNode => ({
        id: tensor.id,
        op: tensor.op,
        name: names.get(tensor) ?? literalOf(tensor) ?? tensor.op,
        shape: [...tensor.shape],
        operands: tensor.operands.map((operand) => operand.id),
        column: columns.get(tensor) ?? 0,
        pass: updates.has(tensor) ? "update" : isLeaf(tensor) ? "given" : forward.has(tensor) ? "forward" : "backward",
        values: table(values.get(tensor) ?? [], tensor.shape),
      }),
    );
    return {
      nodes,
      kernels: fusedKernels(program)
        .map((computed, i): Kernel => ({ number: i + 1, nodes: computed.map((tensor) => tensor.id) }))
        .filter((kernel) => kernel.nodes.length > 0), // one may begin a sum, which another ends
      explained,
      loss: values.get(program.outputs.loss as Tensor)?.[0] ?? Number.NaN,
      gradients: compared(seed, build("grad"), state, started.inputs),
    };
  }
}

type Numbers = Record<string, ArrayLike<number>>;

function stateAfter(
  program: Program,
  parameters: Record<string, Values>,
  inputs: Record<string, Values>,
  steps: number,
): Numbers {
  const judge = reference(program);
  judge.write(parameters);
  if (steps > 0) judge.run(inputs, { steps });
  return Object.fromEntries(Object.keys(program.parameters).map((name) => [name, judge.read(name)]));
}

/** Everything that the step computes, operands before what is made of them. */
function graphOf({ outputs, updates = {} }: Program): Tensor[] {
  return reached([...Object.values(outputs), ...Object.values(updates)]);
}

function reached(roots: readonly Tensor[]): Tensor[] {
  const seen = new Set<Tensor>();
  const stack = [...roots];
  for (let tensor = stack.pop(); tensor; tensor = stack.pop()) {
    if (seen.has(tensor)) continue;
    seen.add(tensor);
    stack.push(...tensor.operands);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

function isLeaf({ op }: Tensor): boolean {
  return op === "input" || op === "parameter" || op === "constant" || op === "iota";
}

function valuesOf(
  program: Program,
  tensors: readonly Tensor[],
  state: Numbers,
  inputs: Record<string, Values>,
): Map<Tensor, ArrayLike<number>> {
  const outputs = Object.fromEntries(tensors.map((tensor) => [`t${tensor.id}`, tensor]));
  const judge = reference({ inputs: program.inputs, parameters: program.parameters, outputs });
  judge.write(Object.fromEntries(Object.entries(state).map(([name, values]) => [name, Float64Array.from(values)])));
  const computed = judge.run(inputs);
  return new Map(tensors.map((tensor) => [tensor, computed[`t${tensor.id}`] ?? []]));
}

function compared(seed: Seed, right: Seed, state: Numbers, inputs: Record<string, Values>): Lesson["gradients"] {
  const of = ({ program, gradients }: Seed) => {
    const outputs = Object.fromEntries(Object.entries(gradients).map(([name, tensor]) => [`grad.${name}`, tensor]));
    const judge = reference({ inputs: program.inputs, parameters: program.parameters, outputs });
    judge.write(Object.fromEntries(Object.entries(state).map(([name, values]) => [name, Float64Array.from(values)])));
    return judge.run(inputs);
  };
  const [own, derivative] = [of(seed), of(right)];
  return Object.keys(seed.gradients).map((name) => {
    const [a, b] = [own[`grad.${name}`] ?? new Float64Array(), derivative[`grad.${name}`] ?? new Float64Array()];
    let [difference, largest] = [0, 0];
    a.forEach((value, i) => {
      difference = Math.max(difference, Math.abs(value - (b[i] ?? 0)));
      largest = Math.max(largest, Math.abs(b[i] ?? 0));
    });
    return { name, difference, largest };
  });
}

function namesOf({ program, gradients, intermediates }: Seed): Map<Tensor, string> {
  const names = new Map<Tensor, string>();
  const put = (tensors: Record<string, Tensor>, prefix: string) => {
    for (const [name, tensor] of Object.entries(tensors)) if (!names.has(tensor)) names.set(tensor, prefix + name);
  };
  put(program.inputs, "");
  put(program.parameters, "");
  put(program.outputs, "");
  put(program.updates ?? {}, "new ");
  put(intermediates, "");
  put(gradients, "∂");
  return names;
}

function literalOf({ op, attributes }: Tensor): string | undefined {
  const values = op === "constant" ? attributes.values : undefined;
  return values?.length === 1 ? String(Number((values[0] as number).toPrecision(4))) : undefined;
}

/** The longest way from a leaf; leaves stand right before what first needs them. */
function columnsOf(tensors: readonly Tensor[]): Map<Tensor, number> {
  const columns = new Map<Tensor, number>();
  for (const tensor of tensors) {
    columns.set(tensor, isLeaf(tensor) ? 0 : 1 + Math.max(0, ...tensor.operands.map((each) => columns.get(each) ?? 0)));
  }
  for (const leaf of tensors.filter(isLeaf)) {
    const users = tensors.filter(({ operands }) => operands.includes(leaf)).map((user) => columns.get(user) ?? 1);
    columns.set(leaf, Math.max(0, Math.min(...users) - 1));
  }
  return columns;
}

function table(values: ArrayLike<number>, shape: readonly number[]): number[][] {
  const width = shape[shape.length - 1] ?? 1;
  const rows = Math.ceil(values.length / width);
  return Array.from({ length: Math.min(rows, SHOWN) }, (_, row) =>
    Array.from({ length: Math.min(width, SHOWN) }, (_, column) => values[row * width + column] as number),
  );
}
