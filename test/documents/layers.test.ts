import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { writeOnnx } from "../../src/files/onnx";
import { decodeModel } from "../../src/files/onnx-decode";
import * as wgrad from "../../src/index";
import { type Activation, activation, conv2d, dense, type Layer, type Shape } from "../../src/index";
import { Sequential } from "../../src/nn/model";
import { NETWORKS } from "../support/golden-networks";

const root = fileURLToPath(new URL("../..", import.meta.url));
const ACTIVATIONS: Activation[] = ["relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "elu", "leakyRelu"];

/** Each layer of the table at work: shapes of an example, and the layer. */
const LAYERS: Record<string, readonly [Shape, Layer][]> = {
  dense: [
    [[3], dense(2)],
    [[4, 3], dense(2)],
  ],
  activation: ACTIVATIONS.map((name) => [[3], activation(name)]),
  dropout: [[[3], wgrad.dropout(0.5)]],
  flatten: [[[2, 4, 4], wgrad.flatten()]],
  residual: [[[3], wgrad.residual([activation("relu")])]],
  batchNorm: [
    [[3], wgrad.batchNorm()],
    [[2, 4, 4], wgrad.batchNorm()],
  ],
  layerNorm: [[[4, 3], wgrad.layerNorm()]],
  groupNorm: [[[4, 2, 2], wgrad.groupNorm(2)]],
  rmsNorm: [[[3], wgrad.rmsNorm()]],
  conv1d: [[[4, 9], wgrad.conv1d(2, 3)]],
  conv2d: [[[2, 5, 5], conv2d(2, 3)]],
  convTranspose2d: [[[2, 5, 5], wgrad.convTranspose2d(2, 3)]],
  maxPool2d: [[[2, 4, 4], wgrad.maxPool2d(2)]],
  avgPool2d: [[[2, 4, 4], wgrad.avgPool2d(2)]],
  multiHeadAttention: [[[4, 4], wgrad.multiHeadAttention(2)]],
  gru: [[[4, 3], wgrad.gru(2)]],
  lstm: [[[4, 3], wgrad.lstm(2)]],
  embedding: [[[4], wgrad.embedding(5, 3)]],
  positionEmbedding: [[[4, 3], wgrad.positionEmbedding()]],
  globalAveragePool: [[[2, 4, 4], wgrad.globalAveragePool()]],
  upsample2d: [[[2, 4, 4], wgrad.upsample2d(2)]],
  standardize: [[[2], wgrad.standardize([1, 2, 3, 5], 2).layer()]],
  defineLayer: [], // what you make it
};
/** What only moves numbers, or picks them; told of a layer that has nothing else. */
const MOVING = new Set(["Reshape", "Transpose", "Gather", "Unsqueeze", "Squeeze", "Concat"]);

/** What the table calls functions that are made of several nodes. */
const FUNCTIONS = new Set(["GELU", "SiLU"]);

interface Row {
  readonly layers: string[];
  readonly arrays: string;
  readonly nodes: string;
  readonly tests: string[];
}
const rows: Row[] = (readFileSync(`${root}/docs/layers.md`, "utf8").split("| layer | PyTorch |")[1] ?? "")
  .split("\n\n")[0]
  ?.split("\n")
  .slice(2)
  .map((line) => line.split("|").slice(1, -1))
  .map(([layers = "", , arrays = "", nodes = "", tests = ""]) => ({
    layers: [...layers.matchAll(/`(\w+)/g)].map(([, name]) => name as string),
    arrays: arrays.trim(),
    nodes: nodes.trim(),
    tests: tests.trim().split(", "),
  })) as Row[];

/** Names of the arrays, and of the nodes, of a layer behind one that has weights, whose own are left out. */
function factsOf(inputs: Shape, layer: Layer): { arrays: string[]; nodes: string[] } {
  const alone = (layers: Layer[]) => wgrad.sequential(inputs, layers) as Sequential;
  const before =
    layer.name === "embedding"
      ? []
      : inputs.length === 3
        ? [conv2d(inputs[0] as number, 1)]
        : [dense(inputs.at(-1) as number)];
  const model = alone([...before, layer]);
  if (!(model instanceof Sequential)) throw new TypeError();
  const index = before.length;
  const arrays = Object.keys(model.held).filter((name) => name.startsWith(`${index}.`) || index === 0);
  const all = decodeModel(writeOnnx(model, model.initial())).graph.nodes.map(({ op }) => op);
  const first =
    before.length === 0 ? 0 : decodeModel(writeOnnx(alone(before), alone(before).initial())).graph.nodes.length;
  return { arrays: arrays.map((name) => name.slice(name.indexOf(".") + 1)), nodes: all.slice(first) };
}

test("the table of layers has every layer that is exported, once", () => {
  const folder = `${root}/src/nn/layers`;
  const made = readdirSync(folder)
    .flatMap((file) => [
      ...readFileSync(`${folder}/${file}`, "utf8").matchAll(/^export function (\w+).*?\): (\w+).*? \{$/gms),
    ])
    .filter(([, name = "", type = ""]) => type.endsWith("Layer") && name in wgrad)
    .map(([, name]) => name as string);
  expect(made.length).toBeGreaterThan(15);
  const listed = rows.flatMap(({ layers }) => layers);
  expect([...listed].sort()).toEqual([...made, "standardize"].sort());
  expect([...listed].sort()).toEqual(Object.keys(LAYERS).sort());
});

test.each(rows)("$layers: its arrays and nodes in files are those of the table", ({ layers, arrays, nodes }) => {
  const facts = layers.flatMap((name) => (LAYERS[name] ?? []).map((each) => factsOf(...each)));
  for (const fact of facts) expect(fact.arrays.join(", ")).toBe(/^those of/.test(arrays) ? "" : arrays);
  const used = new Set(facts.flatMap((fact) => fact.nodes));
  const computing = [...used].filter((op) => !MOVING.has(op));
  const body = layers.includes("residual") ? ["Relu"] : [];
  const told = [...nodes.matchAll(/[A-Z]\w+/g)].map(([name]) => name).filter((name) => !FUNCTIONS.has(name));
  expect(new Set(told)).toEqual(
    new Set((computing.length > 0 ? computing : [...used]).filter((op) => !body.includes(op))),
  );
});

test.each(rows)("$layers: what it is tested against has it", ({ layers, tests }) => {
  const names = (all: readonly Layer[]): string[] =>
    all.flatMap((layer) => [
      layer.name,
      ...("layers" in layer ? names(layer.layers as Layer[]) : []),
      ...("activation" in layer ? ["activation"] : []),
    ]);
  for (const name of tests) {
    const files = [`nn/${name}.test.ts`, `data/${name}.test.ts`].map((file) => `${root}/test/${file}`);
    const file = files.find((each) => existsSync(each));
    const network = NETWORKS[name];
    expect(file !== undefined || network !== undefined, name).toBe(true);
    const inNetwork = network ? names(network.layers()) : [];
    const text = file ? readFileSync(file, "utf8") : "";
    expect(
      layers.some((layer) => inNetwork.includes(layer) || text.includes(`${layer}(`)),
      `${layers} in ${name}`,
    ).toBe(true);
  }
});
