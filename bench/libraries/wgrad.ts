import {
  adam,
  type Device,
  dense,
  type Model,
  open,
  sequential,
  softmaxCrossEntropy,
  squaredError,
  trainer,
  type Values,
} from "../../src/index";
import type { Library, PlanFacts, Prepared } from "../library";
import { frozenModel, modelOf } from "../models";
import { headSteps, type NetworkTask } from "../networks";
import { programOf } from "../programs";
import { classifierLayers, classifierSizes, type Data, recordEvery, type Task } from "../tasks";

/** What tuning may take, in milliseconds: a part of warming up. */
const TUNING_MS = 40_000;

/** wgrad itself. `gpu` is where to look for WebGPU outside of a browser; `route` is taken whatever wgrad would choose. */
export function wgrad(backend: "webgpu" | "cpu", gpu?: GPU, route?: "recorded" | "persistent"): Library {
  let device: Device | undefined;
  const opened = (): Device => {
    if (!device) throw new Error("internal: prepare() before open()");
    return device;
  };
  return {
    async open() {
      device = await open({ backend, ...(gpu && { gpu }), ...(route && { route }) });
      const { vendor, architecture, description } = device.info;
      return [vendor, architecture, description].filter(Boolean).join(" ");
    },
    async prepare(task, data) {
      const device = opened();
      // As who trains for long would: W5 is what a first visit takes, without. The two routes that W6 scans keep the defaults.
      if (backend === "webgpu" && route === undefined) await device.tune(programOf(task), { budgetMs: TUNING_MS });
      switch (task.kind) {
        case "two-layer":
        case "moons":
        case "many-moons":
        case "matmul":
          return stepped(device, task, data);
        case "classifier":
          return fitted(device, data);
        case "cnn":
        case "gpt":
        case "gru":
          return layered(device, task, data);
        case "head":
          return headed(device, task, data);
        default:
          return task satisfies never;
      }
    },
  };
}

async function stepped(device: Device, task: Task, data: Data): Promise<Prepared> {
  const program = programOf(task);
  const copies = task.kind === "many-moons" ? task.count : 1;
  const session = await device.compile(program, { copies });
  const pick = (tensors: Record<string, unknown>) =>
    Object.fromEntries(
      Object.keys(tensors).flatMap((name): [string, Values][] => {
        const values = data[name]?.values;
        return values ? [[name, values]] : [];
      }),
    );
  session.write(pick(program.parameters));
  const inputs = pick(program.inputs);
  return {
    async run(steps) {
      const { loss } = await session.run(inputs, { steps, every: recordEvery(task) });
      return loss ? Array.from(loss.subarray(0, loss.length / copies)) : [];
    },
    async row(row) {
      const size = task.kind === "matmul" ? task.size : 0;
      return Array.from((await session.read("c")).subarray(row * size, (row + 1) * size));
    },
    plan: async () => factsIn(session.explain()),
    dispose: () => session.dispose(),
  };
}

/** As a user would write it: layers, a loss, an optimizer. The rows are one batch, so each step takes all of them. */
async function fitted(device: Device, data: Data): Promise<Prepared> {
  const layers = classifierLayers();
  const [inputs, ...units] = classifierSizes;
  const model = sequential(
    inputs,
    units.map((n, layer) => dense(n, { activation: layer < units.length - 1 ? "relu" : "linear" })),
  );
  const fitter = await trainer(device, model, { loss: softmaxCrossEntropy(), optimizer: adam() });
  const names = Object.keys(model.parameters); // weight and bias of each layer, in order
  const starts = layers.flatMap(({ weight, bias }) => [weight, bias]);
  fitter.setWeights(Object.fromEntries(names.map((name, i) => [name, valuesOf(data, starts[i] as string)])));
  const set = { x: valuesOf(data, "x"), y: valuesOf(data, "y") };
  return {
    async run(steps) {
      return Array.from((await fitter.fit(set, { steps, shuffle: false })).loss);
    },
    plan: async () => factsIn(fitter.session.explain()),
    dispose: () => fitter.dispose(),
  };
}

/** A network of layers, all rows in each step. */
async function layered(device: Device, task: NetworkTask, data: Data): Promise<Prepared> {
  const { model, loss, optimizer } = modelOf(task);
  const fitter = await trainer(device, model, { loss, optimizer });
  fitter.setWeights(weightsOf(model, data));
  const set = { x: valuesOf(data, "x"), y: valuesOf(data, "y") };
  return {
    async run(steps) {
      return Array.from((await fitter.fit(set, { steps, shuffle: false })).loss);
    },
    plan: async () => factsIn(fitter.session.explain()),
    dispose: () => fitter.dispose(),
  };
}

/** The loss of the last step of each job; features and head have a trainer each, whose programs the later jobs find ready. */
async function headed(device: Device, task: Extract<NetworkTask, { kind: "head" }>, data: Data): Promise<Prepared> {
  const { model, loss, optimizer } = modelOf(task);
  const frozen = frozenModel(task);
  const features = await trainer(device, frozen, { loss: squaredError(), optimizer: adam() });
  const head = await trainer(device, model, { loss, optimizer, batchSize: task.batch });
  const start = await head.checkpoint();
  features.setWeights(weightsOf(frozen, data, "frozen."));
  const [x, y] = [valuesOf(data, "x"), valuesOf(data, "y")];
  return {
    async run(steps) {
      const losses: number[] = [];
      for (let job = 0; job < steps; job++) {
        head.resume(start);
        head.setWeights(weightsOf(model, data));
        const set = { x: await features.predict(x), y };
        losses.push((await head.fit(set, { epochs: task.epochs, shuffle: false })).loss[headSteps(task) - 1] as number);
      }
      return losses;
    },
    plan: async () => factsIn(head.session.explain()),
    dispose() {
      features.dispose();
      head.dispose();
    },
  };
}

function weightsOf({ parameters }: Model, data: Data, prefix = ""): Record<string, Float32Array | Int32Array> {
  return Object.fromEntries(Object.keys(parameters).map((name) => [name, valuesOf(data, prefix + name)]));
}

function valuesOf(data: Data, name: string): Float32Array | Int32Array {
  const found = data[name];
  if (!found) throw new Error(`internal: the task has no "${name}"`);
  return found.values;
}

/** From explain()'s lines "plan …: N kernels a step" and "route: …". */
function factsIn(explained: string): PlanFacts {
  const route = /^route: ([\w-]+)/m.exec(explained)?.[1] ?? "cpu";
  const kernels = Number(/: (\d+) kernels? a step/.exec(explained)?.[1] ?? 0);
  return { route, dispatches: route === "recorded" ? kernels : 0 };
}
