import type { MatmulTiling } from "../../kernels/tiling";
import type { ProductShape, Target } from "./plan";
import { FULL } from "./tiling";

/** A good tiling for a GPU before anything was measured. */
export function hardwareDefault({ batch = 1, M, N, K }: ProductShape, target: Target): MatmulTiling {
  const groups = (size: number) => batch * Math.ceil(M / size) * Math.ceil(N / size);
  const large = target.maxWorkgroupSize >= 256;
  if (large && groups(64) >= FULL)
    return { kind: "tiled", tileM: 4, tileN: 4, tileK: 16, threadsM: 16, threadsN: 16, splits: 1 };
  const size = groups(32) >= FULL / 4 || Math.min(M, N) > 16 ? 32 : 16;
  const count = groups(size);
  // A sum that is split is added up by another kernel: a short one is done sooner than that begins.
  const splits = count < FULL && K >= 256 ? Math.max(1, Math.min(Math.floor(K / 64), Math.ceil(FULL / count))) : 1;
  return { kind: "tiled", tileM: size / 8, tileN: size / 8, tileK: 16, threadsM: 8, threadsN: 8, splits };
}
