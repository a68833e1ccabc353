import { parseArgs } from "node:util";

export const groups = ["W1", "W2", "W3", "W4", "W5", "W6"] as const;
export type Group = (typeof groups)[number];

export interface Options {
  quick: boolean;
  full: boolean;
  only: ReadonlySet<Group>;
  peers: boolean;
  native: boolean;
  parity: boolean;
  readme: boolean;
}

export const usage = `npm run bench -- [options]
  --quick          fewer and shorter rounds
  --full           products of 2048 and 4096 on a software adapter too
  --only W1,W2     these workloads only (W1 … W6)
  --peers none     wgrad alone; default all
  --native         in Node through Dawn, without a browser; with PyTorch's CUDA where it is
  --parity         with --native: every operation against float64
  --readme         measures nothing: puts the newest results into bench/README.md`;

/** Throws RangeError or TypeError for what is not known. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      full: { type: "boolean", default: false },
      only: { type: "string", default: groups.join(",") },
      peers: { type: "string", default: "all" },
      native: { type: "boolean", default: false },
      parity: { type: "boolean", default: false },
      readme: { type: "boolean", default: false },
    },
  });
  const only = new Set<Group>();
  for (const name of values.only.split(",").map((part) => part.trim().toUpperCase())) {
    const group = groups.find((known) => known === name);
    if (!group) throw new RangeError(`--only ${name}: the workloads are ${groups.join(", ")}`);
    only.add(group);
  }
  if (values.peers !== "all" && values.peers !== "none") {
    throw new RangeError(`--peers ${values.peers}: it must be "all" or "none"`);
  }
  return { ...values, only, peers: values.peers === "all" };
}

/** Whether everything is measured as it is meant to be, so that the figures are worth keeping. */
export function isWhole({ quick, peers, only }: Options): boolean {
  return !quick && peers && only.size === groups.length;
}
