import { benchOf } from "../bench";
import type { Contender } from "../contender";
import { routeContenders } from "../contenders";
import { wgrad } from "../libraries/wgrad";
import { cudaContenders, pythonContender } from "../python";

/** wgrad in this process and, where asked for, PyTorch's CUDA in processes of its own. */
export function nativeContenders(gpu: GPU, peers: boolean): Contender[] {
  const own = (["webgpu", "cpu"] as const).map(
    (backend): Contender => ({
      name: `wgrad ${backend}`,
      ours: true,
      webgpu: backend === "webgpu",
      ...benchOf(wgrad(backend, gpu)),
      close: async () => {},
    }),
  );
  return [...own, ...(peers ? cudaContenders.map((one) => pythonContender(one)) : [])];
}

/** wgrad held to one route, for the scans over size. */
export function routeContendersOf(gpu: GPU): Contender[] {
  return routeContenders.map((one) => ({
    ...one,
    ...benchOf(wgrad("webgpu", gpu, one.route)),
    close: async () => {},
  }));
}
