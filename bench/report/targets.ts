import type { MeasuredWorkload, Results } from "../results";
import { figures, time, times } from "./format";
import { bestOfOurs, measuredOf, type Table } from "./table";

interface Verdict {
  target: string;
  measured: string;
  met: boolean | null;
}

/** A ratio that is to be reached: how many times slower a peer is than ours. */
interface Ratio {
  workload: string;
  peer: string;
  ours: "webgpu" | "best";
  atLeast: number;
}

const ratios: readonly Ratio[] = [
  { workload: "W1", peer: "jax-js webgpu", ours: "webgpu", atLeast: 3.5 },
  { workload: "W1", peer: "TF.js webgpu", ours: "webgpu", atLeast: 12 },
  { workload: "W1", peer: "jax-js wasm", ours: "best", atLeast: 1.2 },
  { workload: "W2", peer: "jax-js webgpu", ours: "webgpu", atLeast: 300 },
  { workload: "W2", peer: "TF.js webgpu", ours: "webgpu", atLeast: 1500 },
  { workload: "W2", peer: "plain JS", ours: "best", atLeast: 1.5 },
  { workload: "W3", peer: "jax-js webgpu", ours: "webgpu", atLeast: 3 },
  { workload: "W3", peer: "TF.js webgpu", ours: "webgpu", atLeast: 10 },
  { workload: "W3", peer: "jax-js wasm", ours: "best", atLeast: 1.1 },
  ...(
    [
      ["W7", 3, 5, 30],
      ["W8", 3, 5, 2.5],
      ["W9", 5, 5, 8],
      ["W11", 3, 3, null],
    ] as const
  ).flatMap(([workload, jax, tfjs, wasm]): Ratio[] => [
    { workload, peer: "jax-js webgpu", ours: "webgpu", atLeast: jax },
    { workload, peer: "TF.js webgpu", ours: "webgpu", atLeast: tfjs },
    ...(wasm === null ? [] : [{ workload, peer: "jax-js wasm", ours: "best", atLeast: wasm } as const]),
  ]),
  ...["W4 512", "W4 1024"].flatMap((workload): Ratio[] => [
    { workload, peer: "jax-js webgpu", ours: "webgpu", atLeast: 2.5 },
    { workload, peer: "TF.js webgpu", ours: "webgpu", atLeast: 10 },
    { workload, peer: "jax-js wasm", ours: "best", atLeast: 0.95 },
  ]),
];

/** What was set for the software adapter, or for hardware where that is what ran; what was not measured is left out. */
export function verdicts(results: Results): Verdict[] {
  const find = (id: string) => results.workloads.find((workload) => workload.id === id);
  const hardware = results.adapter !== null && !results.adapter.software;
  return [
    ...(hardware ? hardwareVerdicts(find) : ratios.map((ratio) => ratioVerdict(find(ratio.workload), ratio))),
    ...loadingVerdicts(results),
  ].filter(({ met }) => met !== null);
}

function ratioVerdict(workload: MeasuredWorkload | undefined, { workload: id, peer, ours, atLeast }: Ratio): Verdict {
  const name = ours === "webgpu" ? "our WebGPU" : "our best";
  const target = `${id}: ${peer} ÷ ${name} ≥ ${figures(atLeast)}`;
  const own = workload && (ours === "webgpu" ? measuredOf(workload, "wgrad webgpu") : bestOfOurs(workload));
  const theirs = workload && measuredOf(workload, peer);
  if (!own || !theirs) return { target, measured: "not measured", met: null };
  const ratio = theirs.ms.median / own.ms.median;
  return { target, measured: times(ratio), met: ratio >= atLeast };
}

function loadingVerdicts({ loading }: Results): Verdict[] {
  const of = (name: string) => loading.find(({ contender, why }) => contender === name && !why);
  const [ours, theirs] = [of("wgrad webgpu"), of("jax-js webgpu")];
  const share = ours && theirs ? ours.ms.median / theirs.ms.median : null;
  return [
    {
      target: "W5: our first step ÷ jax-js webgpu ≤ 0.5",
      measured: share === null ? "not measured" : times(share),
      met: share === null ? null : share <= 0.5,
    },
    {
      target: "W5: what the page loads ≤ 30 kB gzip",
      measured: ours ? `${figures(ours.gzipBytes / 1000)} kB` : "not measured",
      met: ours ? ours.gzipBytes <= 30_000 : null,
    },
  ];
}

function hardwareVerdicts(find: (id: string) => MeasuredWorkload | undefined): Verdict[] {
  const ms = (id: string, contender: string) => {
    const workload = find(id);
    return (workload && measuredOf(workload, contender)?.ms.median) ?? null;
  };
  const against = (target: string, id: string, peer: string, most: number): Verdict => {
    const [ours, theirs] = [ms(id, "wgrad webgpu"), ms(id, peer)];
    if (ours === null || theirs === null) return { target, measured: "not measured", met: null };
    return { target, measured: times(ours / theirs), met: ours / theirs <= most };
  };
  const pass = ms("W2", "wgrad webgpu");
  return [
    {
      target: "W2: 20,000 passes in less than 0.2 s",
      measured: pass === null ? "not measured" : time(pass * 20_000),
      met: pass === null ? null : pass * 20_000 < 200,
    },
    against("W1: our step ÷ PyTorch's captured graph ≤ 2", "W1", "PyTorch CUDA graph", 2),
    against("W1: our step ÷ PyTorch eager < 1", "W1", "PyTorch CUDA eager", 1),
    against("W4 4096: our time ÷ cuBLAS without TF32 ≤ 1/0.6", "W4 4096", "PyTorch CUDA eager", 1 / 0.6),
  ];
}

export function targetTable(results: Results): Table {
  return {
    columns: [
      { title: "target", align: "left" },
      { title: "measured", align: "right" },
      { title: "", align: "left" },
    ],
    lines: verdicts(results).map(({ target, measured, met }) => [
      target,
      measured,
      met === null ? "–" : met ? "met" : "MISSED",
    ]),
  };
}
