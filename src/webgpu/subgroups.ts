import { ask } from "./ask";

/** Workgroups that are tried. */
const GROUPS = 4;

/** Threads of a subgroup, where the adapter promises one size; else 0. */
export function promisedSubgroup({ features, info }: Pick<GPUAdapter, "features" | "info">): number {
  const size = info.subgroupMinSize ?? 0;
  return features.has("subgroups") && size === info.subgroupMaxSize ? size : 0;
}

/**
 * Whether a promised size is kept: a workgroup of so many threads is one subgroup, its threads in their order, each four of them a
 * quad. Tried, since kernels that took it on trust would be wrong without a word.
 */
export async function keepsSubgroup(device: GPUDevice, size: number): Promise<boolean> {
  const code = `enable subgroups;
@group(0) @binding(0) var<storage, read_write> found: array<u32>;
@compute @workgroup_size(${size})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) local: u32, @builtin(subgroup_invocation_id) lane: u32) {
  let threads = subgroupAdd(1u);
  let swapped = vec4u(quadSwapX(local), quadSwapY(local), quadSwapDiagonal(local), quadBroadcast(local, 1u));
  let kept = lane == local && all(swapped == vec4u(local ^ 1u, local ^ 2u, local ^ 3u, (local | 3u) - 2u));
  found[id.x] = select(0u, threads, kept);
}`;
  try {
    const found = await ask(device, "subgroups", code, size * GROUPS, GROUPS);
    return found.every((threads) => threads === size);
  } catch {
    // What cannot be tried is not used.
    return false;
  }
}
