import { ask } from "./ask";

/** More turns than the lowest limit that is known (65,535, of llvmpipe), and over in a millisecond or two. */
const ASKED = 2 ** 17;
/** What is counted on where nothing could be found out. */
const CAUTIOUS = 2 ** 16 - 1;

/**
 * Turns of all its loops that a thread gets in a dispatch, infinite where there is no end to be seen. Tried: an adapter that ends
 * loops early says nothing of it, and every sum after that is short without a word.
 */
export async function turnsOf(device: GPUDevice): Promise<number> {
  // The bound comes from memory, so that no compiler can do without the loop.
  const code = `@group(0) @binding(0) var<storage, read_write> found: array<u32>;
@compute @workgroup_size(1)
fn main() {
  let bound = found[0] + ${ASKED}u;
  var turns = 0u;
  for (var i = 0u; i < bound; i++) { turns += 1u; }
  found[0] = turns;
}`;
  try {
    const [turns = 0] = await ask(device, "turns", code, 1);
    return turns < ASKED ? turns : Number.POSITIVE_INFINITY;
  } catch {
    return CAUTIOUS;
  }
}
