import type { Config } from "../config";

/** Which networks are trained beside each other, and on what. */
export interface ManyConfig {
  data: (typeof SETS)[number];
  rows: number;
  noise: number;
  /** A square of them: as many rates as seeds. */
  count: 16 | 64;
  /** Of both hidden layers. */
  units: number;
  activation: "tanh" | "relu";
  optimizer: "sgd" | "adam";
  /** The least and the largest learning rate; those between are as far from each other by ratio. */
  least: number;
  most: number;
  epochs: number;
  backend: Config["backend"];
}

export const SETS = ["moons", "circles", "spirals", "xor"] as const;
export const BATCH = 32;

export const BEGINNING: ManyConfig = {
  data: "spirals",
  rows: 300,
  noise: 0.04,
  count: 64,
  units: 8,
  activation: "tanh",
  optimizer: "sgd",
  least: 0.01,
  most: 30,
  epochs: 300,
  backend: "auto",
};

/** How far the points of a set are scattered where nobody has said. */
export const NOISE: Record<ManyConfig["data"], number> = { moons: 0.2, circles: 0.1, spirals: 0.04, xor: 0.05 };

/** Networks of one rate lie beside each other, each of another seed. */
export function ratesOf({ count, least, most }: ManyConfig): number[] {
  const side = Math.sqrt(count);
  const by = (i: number) => least * (most / least) ** (i / (side - 1));
  return Array.from({ length: count }, (_, i) => Number(by(Math.floor(i / side)).toPrecision(2)));
}

export function seedsOf({ count }: ManyConfig): number[] {
  return Array.from({ length: count }, (_, i) => i % Math.sqrt(count));
}
