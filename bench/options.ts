import { parseArgs } from "node:util";
import { pageContenders } from "./contenders";
import { cudaContenders, pythonContenders } from "./python";

export const groups = ["W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", "W10", "W11"] as const;
export type Group = (typeof groups)[number];

export interface Options {
  quick: boolean;
  full: boolean;
  only: ReadonlySet<Group>;
  /** Whose peers are measured beside wgrad: names, or beginnings of names; "" is all of them. */
  peers: readonly string[];
  /** Addresses of browsers that are measured, one after another, in place of one of this machine's. */
  connect: readonly string[];
  native: boolean;
  parity: boolean;
  readme: boolean;
  judge: boolean;
}

export const usage = `npm run bench -- [options]
  --quick          fewer and shorter rounds
  --full           products of 4096 and the large GPT on a software adapter too
  --only W1,W2     these workloads only (W1 … W11)
  --peers none     wgrad alone; default all; or those whose names begin so: --peers "jax-js wasm,TF.js"
  --connect ws://host:9222   in a browser that runs there; several times for several, whose tables are joined. Without W5 and Python
  --native         in Node through Dawn, without a browser; with PyTorch's CUDA where it is
  --parity         with --native: every operation against float64
  --judge          measures nothing: finds by reference() what workloads.ts has of the networks that take it minutes
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
      connect: { type: "string", multiple: true, default: [] },
      native: { type: "boolean", default: false },
      parity: { type: "boolean", default: false },
      readme: { type: "boolean", default: false },
      judge: { type: "boolean", default: false },
    },
  });
  const only = new Set<Group>();
  for (const name of values.only.split(",").map((part) => part.trim().toUpperCase())) {
    const group = groups.find((known) => known === name);
    if (!group) throw new RangeError(`--only ${name}: the workloads are ${groups.join(", ")}`);
    only.add(group);
  }
  const wrong = values.connect.find((address) => !/^wss?:\/\/./.test(address) || !URL.canParse(address));
  if (wrong !== undefined)
    throw new RangeError(`--connect ${wrong}: it must be the address of a browser, such as ws://192.168.1.7:9222`);
  const named = values.peers.split(",").map((name) => name.trim());
  const names = [...pageContenders, ...pythonContenders, ...cudaContenders].flatMap(({ ours, name }) =>
    ours ? [] : name,
  );
  const peers = values.peers === "all" ? [""] : values.peers === "none" ? [] : named;
  for (const peer of peers) {
    if (!names.some((name) => name.startsWith(peer)))
      throw new RangeError(`--peers ${peer}: it must be "all", "none" or beginnings of ${names.join(", ")}`);
  }
  return { ...values, only, peers };
}

/** Whether everything is measured as it is meant to be, so that the figures are worth keeping. */
export function isWhole({ quick, peers, only, connect }: Options): boolean {
  return !quick && connect.length === 0 && isAsked(peers, "") && only.size === groups.length;
}

/** Whether a contender of this name is among the peers that are asked for. */
export function isAsked(peers: readonly string[], name: string): boolean {
  return peers.some((beginning) => name.startsWith(beginning));
}
