import { expect } from "vitest";
import {
  adam,
  type Device,
  dense,
  dropout,
  type Ensemble,
  type EnsembleEpoch,
  type EpochReport,
  ensemble,
  type Loss,
  type Model,
  type Optimizer,
  sequential,
  sgd,
  softmaxCrossEntropy,
  trainer,
} from "../../src/index";
import { normal } from "../graph/numbers";

const ROWS = 22;
export const data = { x: normal(2 * ROWS, 1), y: Array.from({ length: ROWS }, (_, i) => i % 3) };
export const held = { x: normal(20, 2), y: Array.from({ length: 10 }, (_, i) => i % 3) };

/** Three networks of different seeds, rates and penalties; and the trainer that each of them is alone. */
export const THREE = {
  seeds: [7, 0xfffffff1, 3],
  lr: [0.05, 0.3, 0.01],
  weightDecay: [0, 0.02, 0.5],
  l2: [0.01, 0, 0.2],
};

function network(seed: number, l2: number): Model {
  return sequential(
    2,
    [dense(5, { activation: "tanh", l2 }), dropout(0.3), dense(4, { activation: "relu" }), dense(3)],
    {
      seed,
    },
  );
}

export async function three(device: Device, kind: "adam" | "sgd", batchSize = 8): Promise<Ensemble> {
  const { seeds, lr, weightDecay, l2 } = THREE;
  const optimizer = kind === "adam" ? adam() : sgd({ lr: 1, momentum: 0.5 });
  const options = { count: 3, loss: softmaxCrossEntropy(), optimizer, batchSize, seeds };
  return ensemble(device, network(99, 1), { ...options, each: { lr, weightDecay, l2 } });
}

function alone(device: Device, i: number, kind: "adam" | "sgd", batchSize: number) {
  const { seeds, lr, weightDecay, l2 } = THREE;
  const [rate, decay] = [lr[i] as number, weightDecay[i] as number];
  const optimizer: Optimizer =
    kind === "adam" ? adam({ lr: rate, weightDecay: decay }) : sgd({ lr: rate, momentum: 0.5, weightDecay: decay });
  const loss: Loss = softmaxCrossEntropy();
  return trainer(device, network(seeds[i] as number, l2[i] as number), { loss, optimizer, batchSize });
}

/** Holds each of three networks to the trainer alone, bit by bit, over two fits with early stopping. */
export async function expectBitsOfTrainers(device: Device, kind: "adam" | "sgd", batchSize = 8): Promise<void> {
  const together = await three(device, kind, batchSize);
  const weights = kind === "adam" ? { sampleWeights: data.y.map((y) => 0.5 + y) } : {};
  const options = { epochs: 6, validation: held, earlyStopping: { patience: 2 }, every: 2, ...weights };
  const later = { steps: 4, ...weights };
  const told: EnsembleEpoch[] = [];
  const onEpoch = (epoch: EnsembleEpoch) => void told.push(epoch);
  const histories = [await together.fit(data, { ...options, onEpoch }), await together.fit(data, later)];
  const { each } = await together.predict(held.x);
  const evaluations = await together.evaluate(held);
  for (const i of THREE.seeds.keys()) {
    const one = await alone(device, i, kind, batchSize);
    const seed = THREE.seeds[i] as number;
    const epochs: EpochReport[] = [];
    const ofOne = { ...options, seed, onEpoch: (epoch: EpochReport) => void epochs.push(epoch) };
    const expected = [await one.fit(data, ofOne), await one.fit(data, { ...later, seed })];
    expect(
      told.flatMap(({ epoch, step, networks }) =>
        networks.filter(({ network }) => network === i).map(({ network, ...report }) => ({ epoch, step, ...report })),
      ),
    ).toEqual(epochs);
    expected.forEach((history, fit) => {
      for (const name of ["loss", "step", "validationLoss", "validationAccuracy"] as const)
        expect(histories[fit]?.[name]?.[i], `${name} of network ${i}, fit ${fit}`).toEqual(history[name]);
    });
    expect(each[i]).toEqual(await one.predict(held.x));
    expect(evaluations[i]).toEqual(await one.evaluate(held));
    expect(await together.weights(i)).toEqual(await one.weights());
    expect(await together.save(i)).toEqual(await one.save());
    one.dispose();
  }
  together.dispose();
}
