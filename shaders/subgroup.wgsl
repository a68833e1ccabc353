// C = A B, then the epilogue at each element; a workgroup is one subgroup, whose LANES threads lie side by side along the
// columns, each with a tile of TILE_M x TILE_N sums in registers. Where a load costs as much as many products: LANES k of a row
// of A are loaded at once, one a thread, and each thread is told the others'.
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

// The sums once they are done: an epilogue in a loop compiles in a fraction of the time of one for each sum.
var<private> sums: array<f32, TILE_M * TILE_N>;

// spec begin epilogue
fn epilogue(row: u32, column: u32, split: u32, value: f32) {
  if (column < N) { c[row * N + column] = value; }
}
// spec end

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) local: u32) {
  let groupIndex = group.x + group.y * GRID;
  let split = groupIndex / (TILES_M * TILES_N);
  let tile = groupIndex % (TILES_M * TILES_N);
  // A grid of two axes has workgroups to spare.
  if (split >= SPLITS) { return; }
  let row = tile / TILES_N * TILE_M;
  let column = (tile % TILES_N * LANES + local) * TILE_N;
  let kEnd = min(K, (split + 1u) * K_CHUNK);
  // spec begin tile
  let column0 = min(column, N - 1u);
  let column1 = min(column + 1u, N - 1u);
  var sum0_0 = 0.0; var sum0_1 = 0.0;
  for (var k = split * K_CHUNK; k < kEnd; k += 4u) {
    let p0 = a[row * K + k + local];
    let b0_0 = b[k * N + column0]; let b0_1 = b[(k + 1u) * N + column0];
    let b0_2 = b[(k + 2u) * N + column0]; let b0_3 = b[(k + 3u) * N + column0];
    let b1_0 = b[k * N + column1]; let b1_1 = b[(k + 1u) * N + column1];
    let b1_2 = b[(k + 2u) * N + column1]; let b1_3 = b[(k + 3u) * N + column1];
    let a0 = subgroupBroadcast(p0, 0u); let a1 = subgroupBroadcast(p0, 1u);
    let a2 = subgroupBroadcast(p0, 2u); let a3 = subgroupBroadcast(p0, 3u);
    sum0_0 += (a0 * b0_0 + a1 * b0_1) + (a2 * b0_2 + a3 * b0_3);
    sum0_1 += (a0 * b1_0 + a1 * b1_1) + (a2 * b1_2 + a3 * b1_3);
  }
  sums[0] = sum0_0; sums[1] = sum0_1;
  // spec end
  for (var i = 0u; i < min(TILE_M, M - row); i++) {
    for (var j = 0u; j < TILE_N; j++) { epilogue(row + i, column + j, split, sums[i * TILE_N + j]); }
  }
  // spec begin after
  // spec end
}
