// C = A B, then the epilogue at each element; each thread holds a tile of TILE_M x TILE_N sums in registers and reads its
// operands straight from storage. Where products are small, or where barriers and workgroup memory are dear.
//
//   binding     access      shape
//   a           read        [M, K], or [K, M] where A_TRANSPOSED
//   b           read        [K, N], or [N, K] where B_TRANSPOSED
//   c           read_write  [M, N]; [SPLITS, M, N] where K is split; and whatever the epilogue reads and writes
//
// A workgroup covers WORKGROUP neighbouring tiles of one split. Workgroup memory: none, or 4 * WORKGROUP bytes where it
// begins a reduction to one number.

const M = 64u; // spec
const N = 64u; // spec
const K = 64u; // spec
const A_TRANSPOSED = false; // spec
const B_TRANSPOSED = false; // spec
const TILE_M = 2u; // spec
const TILE_N = 2u; // spec
const SPLITS = 1u; // spec
const K_CHUNK = 64u; // spec
const WORKGROUP = 64u; // spec
const GRID = 65535u; // spec
const TILES_N = (N + TILE_N - 1u) / TILE_N;
const TILES_M = (M + TILE_M - 1u) / TILE_M;
// spec begin groups
const GROUPS = (TILES_M * TILES_N * SPLITS + WORKGROUP - 1u) / WORKGROUP;
// spec end

// spec begin bindings
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
// spec end

// spec begin epilogue
fn epilogue(row: u32, column: u32, split: u32, value: f32) {
  c[row * N + column] = value;
}
// spec end

// spec begin indexing
fn aIndex(row: u32, k: u32) -> u32 { return select(row * K + k, k * M + row, A_TRANSPOSED); }
fn bIndex(k: u32, column: u32) -> u32 { return select(k * N + column, column * K + k, B_TRANSPOSED); }
// spec end

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let groupIndex = group.x + group.y * GRID;
  // A grid of two axes has workgroups to spare.
  if (groupIndex >= GROUPS) { return; }
  let thread = groupIndex * WORKGROUP + local;
  // spec begin slice
  let split = thread / (TILES_M * TILES_N);
  // spec end
  let tile = thread % (TILES_M * TILES_N);
  // spec begin before
  // spec end
  if (split < SPLITS) {
    let row = tile / TILES_N * TILE_M;
    let column = tile % TILES_N * TILE_N;
    let kEnd = min(K, (split + 1u) * K_CHUNK);
    // spec begin tile
    // An edge tile reads its last row and column again instead of what lies outside, and stores only what is inside.
    let row1 = min(row + 1u, M - 1u);
    let column1 = min(column + 1u, N - 1u);
    var sum0_0 = 0.0; var sum0_1 = 0.0;
    var sum1_0 = 0.0; var sum1_1 = 0.0;
    for (var k = split * K_CHUNK; k < kEnd; k++) {
      let a0 = a[aIndex(row, k)];
      let a1 = a[aIndex(row1, k)];
      let b0 = b[bIndex(k, column)];
      let b1 = b[bIndex(k, column1)];
      sum0_0 += a0 * b0; sum0_1 += a0 * b1;
      sum1_0 += a1 * b0; sum1_1 += a1 * b1;
    }
    epilogue(row, column, split, sum0_0);
    if (column + 1u < N) { epilogue(row, column + 1u, split, sum0_1); }
    if (row + 1u < M) { epilogue(row + 1u, column, split, sum1_0); }
    if (row + 1u < M && column + 1u < N) { epilogue(row + 1u, column + 1u, split, sum1_1); }
    // spec end
  }
  // spec begin after
  // spec end
}
