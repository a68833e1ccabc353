import { grad, input, type Program, parameter, reference, type Tensor } from "../src/index";
import { moons as moonsSeed, twoLayer as twoLayerSeed } from "../test/networks/seeds";
import { comparedRow } from "./library";
import { classifierLayers, classifierSizes, type Data, type Task } from "./tasks";

const rate = 0.001;
const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-8;

/** The task as a program of wgrad. The classifier's Adam is written out, its corrections given as inputs at each step. */
export function programOf(task: Task): Program {
  switch (task.kind) {
    case "two-layer":
      return twoLayerProgram(task);
    case "moons":
      return moonsSeed("handwritten", 3).program;
    case "classifier":
      return classifierProgram(task.batch);
    case "matmul": {
      const { size } = task;
      const [a, b, c] = [parameter([size, size]), parameter([size, size]), parameter([size, size])];
      return { inputs: {}, parameters: { a, b, c }, outputs: {}, updates: { c: a.matmul(b) } };
    }
    default:
      return task satisfies never;
  }
}

function twoLayerProgram({ batch, inputs, hidden, outputs, rate }: Extract<Task, { kind: "two-layer" }>): Program {
  if (batch === 64 && inputs === 1000 && hidden === 100 && outputs === 10) return twoLayerSeed("handwritten").program;
  const x = input([batch, inputs]);
  const y = input([batch, outputs]);
  const w1 = parameter([inputs, hidden]);
  const w2 = parameter([hidden, outputs]);
  const loss = x.matmul(w1).relu().matmul(w2).sub(y).square().sum();
  const [g1, g2] = grad(loss, [w1, w2]) as [Tensor, Tensor];
  const updates = { w1: w1.sub(g1.mul(rate)), w2: w2.sub(g2.mul(rate)) };
  return { inputs: { x, y }, parameters: { w1, w2 }, outputs: { loss }, updates };
}

function classifierProgram(batch: number): Program {
  const x = input([batch, classifierSizes[0]]);
  const y = input([batch], "int32");
  const stepSize = input([]);
  const inverseRoot = input([]);
  const weights: Record<string, Tensor> = {};
  let h = x;
  for (const [layer, { weight, bias, inputs, units }] of classifierLayers().entries()) {
    const w = parameter([inputs, units]);
    const b = parameter([units]);
    weights[weight] = w;
    weights[bias] = b;
    if (layer > 0) h = h.relu();
    h = h.matmul(w).add(b);
  }
  const loss = h.logSoftmax().mul(y.oneHot(10)).sum().div(-batch);
  const names = Object.keys(weights);
  const gradients = grad(loss, Object.values(weights));
  const parameters: Record<string, Tensor> = { ...weights };
  const updates: Record<string, Tensor> = {};
  for (const [i, name] of names.entries()) {
    const [p, g] = [weights[name] as Tensor, gradients[i] as Tensor];
    const [m, v] = [parameter(p.shape), parameter(p.shape)];
    const nextM = m.mul(beta1).add(g.mul(1 - beta1));
    const nextV = v.mul(beta2).add(g.square().mul(1 - beta2));
    Object.assign(parameters, { [`m.${name}`]: m, [`v.${name}`]: v });
    const step = nextM.mul(stepSize).div(nextV.sqrt().mul(inverseRoot).add(epsilon));
    Object.assign(updates, { [name]: p.sub(step), [`m.${name}`]: nextM, [`v.${name}`]: nextV });
  }
  return { inputs: { x, y, stepSize, inverseRoot }, parameters, outputs: { loss }, updates };
}

/** What float64 finds, by the judge: the loss of step `after`, from 0, or the compared row of the product. */
export function expectedOf(task: Task, data: Data, after: number): number[] {
  if (task.kind === "matmul") return expectedRow(task.size, data);
  const program = programOf(task);
  const judge = reference(program);
  const pick = (tensors: Record<string, Tensor>) =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, { shape }]) => [
        name,
        data[name]?.values ?? new Float32Array(shape.reduce((n, length) => n * length, 1)),
      ]),
    );
  judge.write(pick(program.parameters));
  let last = Number.NaN;
  for (let step = 0; step <= after; step++) {
    const inputs = { ...pick(program.inputs), ...(task.kind === "classifier" ? corrections(step) : {}) };
    last = (judge.run(inputs).loss as Float64Array)[0] as number;
  }
  return [last];
}

/** Adam's corrections of the moments' start at zero, at step `step` from 0. */
function corrections(step: number): Record<string, number[]> {
  return { stepSize: [rate / (1 - beta1 ** (step + 1))], inverseRoot: [1 / Math.sqrt(1 - beta2 ** (step + 1))] };
}

function expectedRow(size: number, data: Data): number[] {
  const [a, b] = [data.a?.values, data.b?.values] as [Float32Array, Float32Array];
  const row = comparedRow(size);
  const c = new Float64Array(size);
  for (let k = 0; k < size; k++) {
    const factor = a[row * size + k] as number;
    for (let j = 0; j < size; j++) c[j] = (c[j] as number) + factor * (b[k * size + j] as number);
  }
  return Array.from(c);
}
