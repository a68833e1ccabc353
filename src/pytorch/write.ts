import { writeSafetensors } from "../files/safetensors";
import type { Dataset, DataValues } from "../nn/dataset";
import type { FitOptions } from "../nn/fit-options";
import { pythonRate } from "../nn/schedules";
import { type Plan, planOf, type Trainer } from "../nn/trainer";
import { checkOptions } from "../util/checks";
import { Modules } from "./modules";
import { dictionary, literal, names } from "./python";
import script from "./train.py?raw";

/** How the fit goes that is to go on in PyTorch: options of `fit`. */
export type PyTorchOptions = Pick<FitOptions, "epochs" | "steps" | "shuffle" | "seed" | "sampleWeights">;

/** Files of one folder, by their names. */
export type PyTorchFiles = Record<"train.py" | "checkpoint.safetensors" | "data.safetensors", Uint8Array<ArrayBuffer>>;

/**
 * What a fit of these data and options goes on from in PyTorch: `train.py`, the trainer's checkpoint, and the data, to be put into one folder.
 *
 *     python3 train.py                               # PyTorch from 1.13, and NumPy
 *     torchrun --nproc_per_node 2 train.py           # DistributedDataParallel: each batch split over two processes
 *
 * The network, loss, optimizer, learning rates, frozen parameters, clipping and order of batches are the trainer's, and losses follow its curve;
 * dropout draws from PyTorch's generator, and the curve is alike then, not the same. A trainer that stands within a fit, as
 * after an abort or between two calls of `advance`, has the rest of that one written, and `options` must be those of that fit.
 * `train.py` writes the checkpoint after every epoch, which `resume` takes back.
 *
 * Throws TypeError for what is not known in PyTorch: a layer of your own, a loss of your own, a learning rate that is a function of your own, a
 * network of readOnnx; and as `fit` does for data and options that do not fit.
 */
export async function writePyTorch(
  trainer: Trainer,
  data: Dataset<DataValues>,
  options: PyTorchOptions,
): Promise<PyTorchFiles> {
  checkOptions("writePyTorch", options, ["epochs", "steps", "shuffle", "seed", "sampleWeights"]);
  const plan = planOf("writePyTorch", trainer, data, options);
  const text = scriptOf(plan);
  return {
    "train.py": new TextEncoder().encode(text),
    "checkpoint.safetensors": await trainer.checkpoint(),
    "data.safetensors": dataOf(plan),
  };
}

function dataOf({ model, rows }: Plan): Uint8Array<ArrayBuffer> {
  const { count, x, y, kind, weights } = rows;
  const whole = (values: Float32Array) => Int32Array.from(values);
  return writeSafetensors({
    x: { shape: [count, ...model.inputShape], values: model.vocabulary === null ? x : whole(x) },
    y: { shape: [count, y.length / count], values: kind === "classes" ? whole(y) : y },
    ...(weights && { weights: { shape: [count], values: weights } }),
  });
}

function scriptOf(plan: Plan): string {
  const { model, trained, seen } = plan;
  if (seen !== null && (seen.stopping !== null || seen.plateau !== null || seen.factors.length > 0)) {
    throw new TypeError(
      "writePyTorch: the fit that goes on has earlyStopping or reduceOnPlateau, which train.py has not; end it here, or begin another without them.",
    );
  }
  const modules = new Modules(trained.frozen);
  const layers = model.pytorch(modules);
  const written = [
    ...(modules.classes === "" ? [] : [modules.classes]),
    constantsOf(plan),
    `def network():\n    return ${layers.python.replaceAll("\n", "\n    ")}`,
    ...functionsOf(plan),
  ].join("\n\n\n");
  const [before, after] = script.split(/# <written>\n# <\/written>\n/);
  if (after === undefined) throw new Error("internal: train.py has no place for what is written");
  return `${before}${written}\n${after}`;
}

function constantsOf({ model, loss, rule, trained, rows, fit, steps }: Plan): string {
  const held = Object.entries(model.held);
  const frozen = Object.keys(model.parameters).filter(trained.frozen);
  const penalties = held.filter(([, { l2 = 0 }]) => l2 > 0).map(([name, { l2 = 0 }]) => [name, l2]);
  return `# The data, and the order of their batches.
ROWS, BATCH, SHUFFLE, SEED = ${[fit.rows, fit.batchSize, fit.shuffle, fit.seed].map(literal).join(", ")}
TOKENS, CLASSES = ${literal(model.vocabulary !== null)}, ${literal(rows.kind === "classes")}
# Steps of the fit.
STEPS = ${steps}
# An example has so many rows of so many outputs, each of so many elements that a mean is over.
POSITIONS, UNITS, ELEMENTS = ${model.positions}, ${model.units}, ${loss.elements(model.units)}
MEAN = ${literal(loss.reduction === "mean")}
CLASS_WEIGHTS = ${literal(loss.weights)}
# l2 / 2 times the sum of the squares joins the loss.
L2 = ${dictionary(Object.fromEntries(penalties))}
FROZEN = ${names(frozen)}
CLIP_NORM = ${literal(trained.clipNorm ?? null)}
# The checkpoint's optimizer, its state and PyTorch's names of it; and weights that are the other way round there.
OPTIMIZER = ${literal(rule.name)}
SLOTS = ${dictionary(Object.fromEntries(rule.slots.map((slot) => [slot, rule.pytorch.slots[slot] as string])))}
TURNED = ${names(held.filter(([, { turned }]) => turned).map(([name]) => name))}`;
}

function functionsOf({ loss, rule }: Plan): string[] {
  const rate = pythonRate(rule.lr);
  if (rate === null) {
    throw new TypeError(
      "writePyTorch: the learning rate is a function of your own, which cannot be written in Python; give the optimizer a number, cosineDecay() or stepDecay(), and write yours into rate() of train.py.",
    );
  }
  const { pytorch } = loss;
  if (pytorch === null) {
    throw new TypeError(
      `writePyTorch: the loss ${loss.name} is of your own, which cannot be written in Python; train on with one of the library's, and write yours into terms() of train.py.`,
    );
  }
  const of = { ...pytorch.options, ...(loss.weights !== null && { weight: { python: "weight" } }) };
  const weight =
    loss.weights === null
      ? ""
      : "    weight = torch.tensor(CLASS_WEIGHTS, dtype=outputs.dtype, device=outputs.device)\n";
  const lossOptions = Object.entries({ ...of, reduction: "none" }).map(([name, value]) => `${name}=${literal(value)}`);
  const { name, options } = rule.pytorch;
  const ruleOptions = Object.entries(options).map(([key, value]) => `${key}=${literal(value)}`);
  return [
    `def terms(outputs, targets):
    """Of the loss, before its reduction."""
${weight}    return F.${pytorch.name}(outputs, targets, ${lossOptions.join(", ")})`,
    `def make_optimizer(parameters):
    return torch.optim.${name}(parameters, lr=rate(0), ${ruleOptions.join(", ")})`,
    `def rate(step):
    """The learning rate of a step, counted over all fits of the trainer."""
    return ${rate}`,
  ];
}
