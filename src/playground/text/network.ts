import { adapted } from "../../../examples/lora";
import {
  activation,
  adam,
  cosineDecay,
  dense,
  embedding,
  input,
  iota,
  layerNorm,
  type Model,
  multiHeadAttention,
  type Optimizer,
  type Program,
  parameter,
  positionEmbedding,
  residual,
  sequential,
  type Tensor,
} from "../../index";

/** How large a network is. */
export interface Sizes {
  /** Characters that it sees at once. */
  length: number;
  features: number;
  heads: number;
  blocks: number;
  batch: number;
}

/** A CPU trains the first to words within a minute; what a GPU is for is the second. */
export const SIZES = {
  small: { length: 32, features: 32, heads: 4, blocks: 2, batch: 16 },
  large: { length: 64, features: 128, heads: 4, blocks: 3, batch: 32 },
} as const satisfies Record<string, Sizes>;

/** A GPT over characters; with `adapters` beside the dense layers of its blocks. Source: Radford et al. 2018; Karpathy, minGPT. */
export function gpt(characters: number, { length, features, heads, blocks }: Sizes, adapters: boolean): Model {
  const linear = adapters ? adapted : dense;
  const block = () => [
    residual([layerNorm(), multiHeadAttention(heads, { causal: true })]),
    residual([layerNorm(), linear(4 * features), activation("gelu"), linear(features)]),
  ];
  return sequential(
    [length],
    [
      embedding(characters, features, { deviation: 0.02 }),
      positionEmbedding(),
      ...Array.from({ length: blocks }, block).flat(),
      layerNorm(),
      dense(characters),
    ],
  );
}

export function optimizerOf(steps: number, adapters: boolean): Optimizer {
  const warmup = Math.min(100, Math.floor(steps / 10));
  return adam({ lr: cosineDecay(adapters ? 0.01 : 0.003, steps, { warmup, final: 0.0003 }), weightDecay: 0.01 });
}

/**
 * The network over one piece of text, with what a prediction does not tell: "logits" [1, T, characters] at each place, and of block b
 * "attention b" [1, heads, T, T], the shares in which each place looks at each. The parameters are the model's.
 */
export function viewProgram(model: Model, { length: T, features, heads, blocks }: Sizes): Program {
  const tokens = input([1, T], "int32");
  const parameters = Object.fromEntries(
    Object.entries(model.parameters).map(([name, shape]): [string, Tensor] => [name, parameter(shape)]),
  );
  const held = (name: string) => parameters[name] as Tensor;
  const norm = (x: Tensor, name: string) => {
    const apart = x.sub(x.mean(-1, { keepDims: true }));
    const variance = apart.square().mean(-1, { keepDims: true });
    return apart
      .div(variance.add(1e-5).sqrt())
      .mul(held(`${name}.weight`))
      .add(held(`${name}.bias`));
  };
  const linear = (x: Tensor, name: string) => {
    const plain = x.matmul(held(`${name}.weight`)).add(held(`${name}.bias`));
    const { [`${name}.down`]: down, [`${name}.up`]: up } = parameters;
    return down && up ? plain.add(x.matmul(down).matmul(up)) : plain;
  };
  const seen = iota(T).reshape([T, 1]).ge(iota(T));
  const outputs: Record<string, Tensor> = {};
  let x = held("0.weight").take(tokens).add(held("1.weight"));
  for (let b = 0; b < blocks; b++) {
    const [looks, thinks] = [`${2 + 2 * b}.body`, `${3 + 2 * b}.body`];
    const all = norm(x, `${looks}.0`)
      .matmul(held(`${looks}.1.in_proj_weight`).T)
      .add(held(`${looks}.1.in_proj_bias`))
      .reshape([1, T, 3, heads, features / heads])
      .permute([2, 0, 3, 1, 4]);
    const part = (i: number) => all.slice(0, i, i + 1).reshape([1, heads, T, features / heads]);
    const scores = part(0)
      .mul(1 / Math.sqrt(features / heads))
      .matmul(part(1).T);
    const shares = scores.mask(seen).add(seen.eq(0).mul(-1e30)).softmax(-1);
    outputs[`attention ${b}`] = shares;
    const read = shares.matmul(part(2)).permute([0, 2, 1, 3]).reshape([1, T, features]);
    x = x.add(read.matmul(held(`${looks}.1.out_proj.weight`).T).add(held(`${looks}.1.out_proj.bias`)));
    x = x.add(linear(linear(norm(x, `${thinks}.0`), `${thinks}.1`).gelu(), `${thinks}.3`));
  }
  const end = 2 + 2 * blocks;
  outputs.logits = linear(norm(x, `${end}`), `${end + 1}`);
  return { inputs: { tokens }, parameters, outputs };
}
