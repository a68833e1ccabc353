// C = A B, then the epilogue at each element; a workgroup is one subgroup, whose LANES threads lie side by side along the
// columns, each with a tile of TILE_M x TILE_N sums. Where a load costs as much as many products: of four k of a row
// of A each thread of a quad loads one, and the four swap them. A thread takes k in its own order, beginning with the one that it
// has loaded: `quad ^ u` for u = 0 … 3, so that swaps do where each value would else be spread to all threads.
//
//   binding     access      shape
//   a           read        [M, K], or [K, M] where A_TRANSPOSED
//   b           read        [K, N], or [N, K] where B_TRANSPOSED
//   c           read_write  [M, N]; [SPLITS, M, N] where K is split; and whatever the epilogue reads and writes
//
// A workgroup covers TILE_M rows and LANES * TILE_N columns of one split; LANES is the size of every subgroup of this adapter.
// Workgroup memory: none, or 4 * LANES bytes where it begins a reduction to one number.

enable subgroups;

const M = 64u; // spec
const N = 64u; // spec
const K = 64u; // spec
const TILE_M = 1u; // spec
const TILE_N = 2u; // spec
const LANES = 4u; // spec
const SPLITS = 1u; // spec
const K_CHUNK = 64u; // spec
const GRID = 65535u; // spec
const TILES_N = (N + LANES * TILE_N - 1u) / (LANES * TILE_N);
const TILES_M = (M + TILE_M - 1u) / TILE_M;

// spec begin bindings
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
// spec end

// The sums; or, where each is a variable of its own, what they come to: an epilogue in a loop compiles in a fraction of the time
// of one for each sum.
var<private> sums: array<f32, TILE_M * TILE_N>;

// spec begin epilogue
fn epilogue(row: u32, column: u32, split: u32, value: f32) {
  if (column < N) { c[row * N + column] = value; }
}
// spec end

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) local: u32) {
  let groupIndex = group.x + group.y * GRID;
  // spec begin slice
  let split = groupIndex / (TILES_M * TILES_N);
  // spec end
  let tile = groupIndex % (TILES_M * TILES_N);
  // A grid of two axes has workgroups to spare.
  if (split >= SPLITS) { return; }
  let row = tile / TILES_N * TILE_M;
  let column = (tile % TILES_N * LANES + local) * TILE_N;
  let kEnd = min(K, (split + 1u) * K_CHUNK);
  // spec begin tile
  let column0 = min(column, N - 1u);
  let column1 = min(column + 1u, N - 1u);
  let quad = local % 4u;
  for (var k = split * K_CHUNK; k < kEnd; k += 4u) {
    let p0 = a[row * K + k + quad];
    let b0_0 = b[(k + quad) * N + column0]; let b0_1 = b[(k + (quad ^ 1u)) * N + column0];
    let b0_2 = b[(k + (quad ^ 2u)) * N + column0]; let b0_3 = b[(k + (quad ^ 3u)) * N + column0];
    let b1_0 = b[(k + quad) * N + column1]; let b1_1 = b[(k + (quad ^ 1u)) * N + column1];
    let b1_2 = b[(k + (quad ^ 2u)) * N + column1]; let b1_3 = b[(k + (quad ^ 3u)) * N + column1];
    let a0_1 = quadSwapX(p0); let a0_2 = quadSwapY(p0); let a0_3 = quadSwapDiagonal(p0);
    sums[0] += (p0 * b0_0 + a0_1 * b0_1) + (a0_2 * b0_2 + a0_3 * b0_3);
    sums[1] += (p0 * b1_0 + a0_1 * b1_1) + (a0_2 * b1_2 + a0_3 * b1_3);
  }
  // spec end
  for (var i = 0u; i < min(TILE_M, M - row); i++) {
    for (var j = 0u; j < TILE_N; j++) { epilogue(row + i, column + j, split, sums[i * TILE_N + j]); }
  }
  // spec begin after
  // spec end
}
