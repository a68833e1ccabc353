/** What a person chooses on the page: the data, the network and how it is trained. All of it is in the address. */

export const DATA = ["moons", "circles", "spirals", "xor", "blobs", "iris", "digits", "csv"] as const;
export type DataName = (typeof DATA)[number];
export const ACTIVATIONS = ["relu", "tanh", "sigmoid", "linear"] as const;
export const LOSSES = ["softmaxCrossEntropy", "binaryCrossEntropy", "squaredError"] as const;
export const OPTIMIZERS = ["adam", "sgd", "rmsprop"] as const;
export const SCHEDULES = ["constant", "cosine", "step"] as const;
export const BACKENDS = ["auto", "webgpu", "cpu"] as const;

export interface HiddenLayer {
  units: number;
  activation: (typeof ACTIVATIONS)[number];
}

export interface Config {
  data: DataName;
  /** Of the drawn sets: how many points, and how far they are scattered. */
  rows: number;
  noise: number;
  /** The share of the rows that is held back; of the digits it is fixed. */
  held: number;
  /** The two features that the plane shows, by their places; null for those of the set. */
  axes: [number, number] | null;
  layers: HiddenLayer[];
  loss: (typeof LOSSES)[number];
  optimizer: (typeof OPTIMIZERS)[number];
  rate: number;
  schedule: (typeof SCHEDULES)[number];
  momentum: number;
  l2: number;
  /** Rows a step; 0 for all. */
  batch: number;
  /** Of the data, the first weights and the order of the batches. */
  seed: number;
  /** Where training stops by itself, and what a falling learning rate is spread over. */
  steps: number;
  backend: (typeof BACKENDS)[number];
}

export const LIMITS = {
  rows: [20, 4000],
  noise: [0, 1],
  held: [0.05, 0.9],
  rate: [0.00001, 10],
  momentum: [0, 0.99],
  l2: [0, 1],
  batch: [0, 4096],
  seed: [0, 9999],
  steps: [1, 1_000_000],
  units: [1, 256],
  layers: [0, 6],
} as const;

const tanh = (...units: number[]): HiddenLayer[] => units.map((each) => ({ units: each, activation: "tanh" }));
const relu = (...units: number[]): HiddenLayer[] => units.map((each) => ({ units: each, activation: "relu" }));

const COMMON: Config = {
  data: "moons",
  rows: 300,
  noise: 0.15,
  held: 0.3,
  axes: null,
  layers: tanh(8, 8),
  loss: "softmaxCrossEntropy",
  optimizer: "adam",
  rate: 0.01,
  schedule: "constant",
  momentum: 0,
  l2: 0,
  batch: 32,
  seed: 0,
  steps: 4000,
  backend: "auto",
};

/** A network that learns the set within seconds: what choosing a set begins with. */
export function preset(data: DataName): Config {
  const own: Record<DataName, Partial<Config>> = {
    moons: {},
    circles: { noise: 0.08, layers: tanh(6, 4) },
    spirals: { noise: 0.02, rows: 400, layers: tanh(16, 12), rate: 0.02, steps: 8000 },
    xor: { noise: 0.05, layers: relu(8, 4) },
    blobs: { noise: 1, rows: 300, layers: tanh(6) },
    iris: { layers: tanh(8, 6), batch: 16, rows: 150 },
    digits: { layers: relu(48), batch: 64, rate: 0.005, steps: 3000, rows: 1797 },
    csv: { layers: tanh(10, 6) },
  };
  return { ...COMMON, layers: COMMON.layers.map((layer) => ({ ...layer })), data, ...own[data] };
}

const LETTERS = { relu: "r", tanh: "t", sigmoid: "s", linear: "l" } as const;

export function toQuery(config: Config): string {
  const { layers, axes, ...rest } = config;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(rest)) query.set(name, String(value));
  if (axes) query.set("axes", axes.join("-"));
  query.set("layers", layers.map(({ units, activation }) => `${units}${LETTERS[activation]}`).join("-"));
  return query.toString();
}

/** What the address says; whatever in it is missing or cannot be meant is as in the preset of its data set. */
export function fromQuery(text: string): Config {
  const query = new URLSearchParams(text);
  const config = preset(chosen(query.get("data"), DATA, "moons"));
  for (const name of ["rows", "noise", "held", "rate", "momentum", "l2", "batch", "seed", "steps"] as const) {
    const given = query.get(name);
    if (given !== null && given.trim() !== "") config[name] = within(name, Number(given), config[name]);
  }
  config.loss = chosen(query.get("loss"), LOSSES, config.loss);
  config.optimizer = chosen(query.get("optimizer"), OPTIMIZERS, config.optimizer);
  config.schedule = chosen(query.get("schedule"), SCHEDULES, config.schedule);
  config.backend = chosen(query.get("backend"), BACKENDS, config.backend);
  const axes = /^(\d{1,3})-(\d{1,3})$/.exec(query.get("axes") ?? "");
  if (axes && axes[1] !== axes[2]) config.axes = [Number(axes[1]), Number(axes[2])];
  const layers = query.get("layers");
  if (layers !== null) config.layers = layersOf(layers) ?? config.layers;
  return config;
}

const WHOLE = ["rows", "batch", "seed", "steps", "units", "layers"] as const;

export function within(name: keyof typeof LIMITS, value: number, otherwise: number): number {
  if (!Number.isFinite(value)) return otherwise;
  const [least, most] = LIMITS[name];
  const held = Math.min(most, Math.max(least, value));
  return WHOLE.some((each) => each === name) ? Math.round(held) : held;
}

function layersOf(text: string): HiddenLayer[] | null {
  if (text === "") return [];
  const layers = text.split("-").map((part): HiddenLayer | null => {
    const [, units, letter] = /^(\d+)([rtsl])$/.exec(part) ?? [];
    const activation = ACTIVATIONS.find((each) => LETTERS[each] === letter);
    return units && activation ? { units: within("units", Number(units), 8), activation } : null;
  });
  return layers.every((layer) => layer !== null) ? layers.slice(0, LIMITS.layers[1]) : null;
}

function chosen<T extends string>(value: string | null, from: readonly T[], otherwise: T): T {
  return from.find((each) => each === value) ?? otherwise;
}

/** What needs another program on the device when it changes; the rest is taken up by the next step. */
export function needsCompiling(before: Config, after: Config): boolean {
  const fixed = ({ rate: _rate, schedule: _schedule, steps: _steps, axes: _axes, ...rest }: Config) =>
    JSON.stringify(rest);
  return fixed(before) !== fixed(after);
}
