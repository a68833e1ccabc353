import { adam, type Device, dense, open, sequential, softmaxCrossEntropy, trainer, type Values } from "../../src/index";
import type { Library, PlanFacts, Prepared } from "../library";
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
      return task.kind === "classifier" ? fitted(device, data) : stepped(device, task, data);
    },
  };
}

async function stepped(device: Device, task: Task, data: Data): Promise<Prepared> {
  const program = programOf(task);
  const session = await device.compile(program);
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
      return loss ? Array.from(loss) : [];
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
