import type { OwnModule, TorchArgument, TorchModule, TorchModules } from "../files/torch-modules";
import text from "./modules.py?raw";
import { literal } from "./python";

const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: "ReLU",
  tanh: "Tanh",
  sigmoid: "Sigmoid",
  gelu: "GELU",
  silu: "SiLU",
  softplus: "Softplus",
  elu: "ELU",
  leakyRelu: "LeakyReLU",
};

/** Gathers what layers tell of themselves. */
export class Modules implements TorchModules {
  constructor(
    private readonly isFrozen: (name: string) => boolean,
    private readonly prefix = "",
    /** Classes that the file needs besides. */
    readonly owned: Set<OwnModule> = new Set(),
  ) {}

  module(name: string, args: readonly TorchArgument[] = [], options = {}): TorchModule {
    return call(`nn.${name}`, args, options);
  }

  own(name: OwnModule, args: readonly TorchArgument[] = [], options = {}): TorchModule {
    this.owned.add(name);
    return call(name, args, options);
  }

  sequential(modules: readonly TorchModule[]): TorchModule {
    return call("nn.Sequential", modules, {});
  }

  activation(name: string): TorchModule[] {
    if (name === "linear") return [];
    const known = ACTIVATIONS[name];
    if (known === undefined) throw new Error(`internal: the activation ${name} has no module of PyTorch`);
    return [this.module(known)];
  }

  frozen(name: string): boolean {
    return this.isFrozen(this.prefix + name);
  }

  within(prefix: string): TorchModules {
    return new Modules(this.isFrozen, this.prefix + prefix, this.owned);
  }

  /** The classes that were asked for, as Python. */
  get classes(): string {
    const classes = text.trim().split("\n\n\n");
    return [...this.owned].map((name) => classes.find((each) => each.startsWith(`class ${name}(`))).join("\n\n\n");
  }
}

/** Modules within it go each on a line of its own. */
function call(name: string, args: readonly TorchArgument[], options: Readonly<Record<string, TorchArgument>>) {
  const all = [
    ...args.map((value) => literal(value)),
    ...Object.entries(options).map(([key, value]) => `${key}=${literal(value)}`),
  ];
  const holdsModules = args.some((value) => typeof value === "object" && "python" in value);
  if (!holdsModules) return { python: `${name}(${all.join(", ")})` };
  const lines = all.map((each) => `    ${each.replaceAll("\n", "\n    ")},\n`);
  return { python: `${name}(\n${lines.join("")})` };
}
