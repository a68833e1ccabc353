import { constant, parameter, Tensor } from "../graph/tensor";
import { checkAmount, checkCount, checkOptions, isRecord, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape, sameShape } from "../util/shape";
import type { LearningRate } from "./schedules";

/** What one parameter becomes, and the state that goes with it. */
export interface Updated {
  readonly value: Tensor;
  readonly slots: readonly Tensor[];
}

/** An update rule as expressions of one parameter, its gradient, its state and the step's scalars. */
export interface UpdateRule {
  readonly name: string;
  readonly lr: LearningRate;
  /** State of each parameter, of its shape and 0 at first. */
  readonly slots: readonly string[];
  /** Names of the numbers that change each step. */
  readonly tables: readonly string[];
  /** Those numbers, in float64, at step `step` (from 0) with its learning rate. */
  scalars(step: number, rate: number): readonly number[];
  each(p: Tensor, gradient: Tensor, slots: readonly Tensor[], scalars: readonly Tensor[]): Updated;
}

/** What `Optimizer.update` goes by in a program of your own. */
export interface UpdateOptions {
  /** The rate as a tensor [], such as an input, instead of the optimizer's own. */
  lr?: Tensor;
  /** How many steps a rate that is a function is asked for; after them the last one stays. */
  steps?: number;
  /** The norm that all gradients together are held to: torch.nn.utils.clip_grad_norm_. */
  clipNorm?: number;
}

/** What an optimizer adds to a program. */
export interface OptimizerStep {
  /** For the program's parameters, 0 at first: "m.w1" and so on, and "optimizer.step", which counts, where anything depends on it. */
  readonly state: Record<string, Tensor>;
  /** For the program's updates: of the parameters and of the state. */
  readonly updates: Record<string, Tensor>;
}

const COUNTER = "optimizer.step";
/** Steps that a table may be long: 4 MiB. */
const MOST_STEPS = 2 ** 20;
/** PyTorch's own. */
const CLIP_EPSILON = 1e-6;

/** The name of an optimizer's state of one parameter. */
export function slotName(slot: string, parameter: string): string {
  return `${slot}.${parameter}`;
}

/** One step of `rule`, whose scalars of this step are given: as trainer and `update` both have it. */
export function ruleStep(
  rule: UpdateRule,
  parameters: Readonly<Record<string, Tensor>>,
  gradients: readonly Tensor[],
  scalars: readonly Tensor[],
  clipNorm: number | undefined,
): OptimizerStep {
  const [state, updates]: Record<string, Tensor>[] = [{}, {}] as const;
  const held = clipped(gradients, clipNorm);
  Object.entries(parameters).forEach(([name, weight], i) => {
    const own = rule.slots.map(() => parameter(weight.shape));
    const next = rule.each(weight, held[i] as Tensor, own, scalars);
    updates[name] = next.value;
    rule.slots.forEach((slot, s) => {
      state[slotName(slot, name)] = own[s] as Tensor;
      updates[slotName(slot, name)] = next.slots[s] as Tensor;
    });
  });
  return { state, updates };
}

/** `Optimizer.update`. */
export function optimizerStep(
  rule: UpdateRule,
  parameters: Readonly<Record<string, Tensor>>,
  gradients: readonly Tensor[],
  options: UpdateOptions,
): OptimizerStep {
  const part = `${rule.name}: update`;
  checkOptions(part, options, ["lr", "steps", "clipNorm"]);
  if (options.clipNorm !== undefined) checkAmount(part, "clipNorm", options.clipNorm);
  checkGradients(part, parameters, gradients);
  const counter = parameter([]);
  const { scalars, counts } = scalarsOf(part, rule, options, counter);
  const { state, updates } = ruleStep(rule, parameters, gradients, scalars, options.clipNorm);
  const taken = Object.keys({ ...state, [COUNTER]: counter }).find((name) => Object.hasOwn(parameters, name));
  if (taken !== undefined)
    throw new TypeError(`${part}: "${taken}" names a parameter, and is the name of the optimizer's own; rename it.`);
  if (counts === 0) return { state, updates };
  // It stands still where the tables end: float32 counts to 2^24, and a program may run on.
  return {
    state: { ...state, [COUNTER]: counter },
    updates: { ...updates, [COUNTER]: counter.add(1).minimum(counts) },
  };
}

/** The step's scalars from tables that the program brings along; they are read up to place `counts`. */
function scalarsOf(part: string, rule: UpdateRule, { lr, steps }: UpdateOptions, counter: Tensor) {
  if (lr !== undefined && !(lr instanceof Tensor && lr.shape.length === 0 && lr.dtype === "float32"))
    throw new TypeError(`${part}: lr is ${shown(lr, Tensor)}; it must be a float32 tensor of shape [].`);
  if (steps !== undefined) checkCount(part, "steps", steps);
  const own = lr === undefined ? rule.lr : 1;
  if (typeof own === "function" && steps === undefined) {
    throw new TypeError(`${part}: the rate is a function of the step; say how many \`steps\` it is asked for.`);
  }
  const settled = settledAfter(part, rule);
  const counts = typeof own === "number" ? settled : Math.max(settled, (steps ?? 1) - 1);
  if (counts >= MOST_STEPS)
    throw new RangeError(`${part}: ${counts + 1} steps are too many for a table; at most ${MOST_STEPS}.`);
  const rates = Float64Array.from({ length: typeof own === "number" ? 1 : (steps ?? 1) }, (_, step) => {
    const rate = typeof own === "number" ? own : own(step);
    checkAmount(part, `the learning rate at step ${step}`, rate);
    return rate;
  });
  const values = Array.from({ length: counts + 1 }, (_, step) =>
    rule.scalars(step, rates[Math.min(step, rates.length - 1)] as number),
  );
  const at = counter.toInt32();
  const scalars = rule.tables.map((_, t) => {
    const table = values.map((each) => each[t] as number);
    const alike = table.every((value) => value === table[0]);
    const scalar = alike ? constant([table[0] as number], []) : constant(table, [table.length]).take(at);
    // What is 0 at a rate of 0 is a multiple of it.
    return lr !== undefined && rule.scalars(0, 0)[t] === 0 ? scalar.mul(lr) : scalar;
  });
  return { scalars, counts };
}

/** The step from which on float32 tells a rule's scalars no more from what they tend to, at one rate. */
function settledAfter(part: string, rule: UpdateRule): number {
  const last = rule.scalars(Number.POSITIVE_INFINITY, 1).map(Math.fround);
  const settled = (step: number) => rule.scalars(step, 1).every((value, t) => Math.fround(value) === last[t]);
  let [low, high] = [-1, 0];
  while (!settled(high)) {
    [low, high] = [high, 2 * high + 1];
    if (high > 2 * MOST_STEPS)
      throw new RangeError(`${part}: its corrections last more than ${MOST_STEPS} steps; take a smaller beta2.`);
  }
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (settled(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function checkGradients(part: string, parameters: unknown, gradients: unknown): void {
  if (!isRecord(parameters) || parameters instanceof Tensor)
    throw new TypeError(`${part}: the parameters are ${shown(parameters)}; they must be an object of tensors by name.`);
  const tensors = Object.entries(parameters);
  if (!Array.isArray(gradients) || gradients.length !== tensors.length) {
    throw new TypeError(
      `${part}: the gradients are ${shown(gradients)} for ${tensors.length} parameters; give what grad() gives of them, in their order.`,
    );
  }
  tensors.forEach(([name, tensor], i) => {
    const gradient: unknown = gradients[i];
    if (!(tensor instanceof Tensor) || !(gradient instanceof Tensor))
      throw new TypeError(
        `${part}: "${name}" is ${shown(tensor, Tensor)}, its gradient ${shown(gradient, Tensor)}; both must be tensors.`,
      );
    if (!sameShape(tensor.shape, gradient.shape)) {
      throw new ShapeError(
        `${part}: "${name}" is ${formatShape(tensor.shape)} and its gradient ${formatShape(gradient.shape)}; they must be equal, in the order of the parameters.`,
      );
    }
  });
}

/** All gradients times the one factor that holds their norm to `most`, as torch.nn.utils.clip_grad_norm_. */
function clipped(gradients: readonly Tensor[], most: number | undefined): readonly Tensor[] {
  if (most === undefined) return gradients;
  const squares = gradients.map((gradient) => gradient.square().sum());
  const norm = squares.reduce((sum, square) => sum.add(square)).sqrt();
  const factor = norm.add(CLIP_EPSILON).reciprocal().mul(most).minimum(1);
  return gradients.map((gradient) => gradient.mul(factor));
}
