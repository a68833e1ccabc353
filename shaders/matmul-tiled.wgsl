// C = A B, then the epilogue at each element; a workgroup holds tiles of A and B in workgroup memory, k-major, and each
// thread a tile of TILE_M x TILE_N sums in registers. Where products are large.
//
//   binding     access      shape
//   a           read        [M, K], or [K, M] where A_TRANSPOSED
//   b           read        [K, N], or [N, K] where B_TRANSPOSED
//   c           read_write  [M, N]; [SPLITS, M, N] where K is split; and whatever the epilogue reads and writes
//
// A workgroup covers ROWS x COLUMNS elements of one split. A thread's rows and columns lie THREADS_M and THREADS_N apart,
// so that neighbouring threads read and write neighbouring elements.
// The first row of workgroups may also sum B's columns: a bias's gradient, where the product is its weight's.
// Workgroup memory: 4 * TILE_K * (ROWS + COLUMNS + 2) bytes.

const M = 64u; // spec
const N = 64u; // spec
const K = 64u; // spec
const A_TRANSPOSED = false; // spec
const B_TRANSPOSED = false; // spec
const TILE_M = 2u; // spec
const TILE_N = 2u; // spec
const TILE_K = 16u; // spec
const THREADS_M = 8u; // spec
const THREADS_N = 8u; // spec
const SPLITS = 1u; // spec
const GRID = 65535u; // spec
const WORKGROUP = THREADS_M * THREADS_N;
const ROWS = TILE_M * THREADS_M;
const COLUMNS = TILE_N * THREADS_N;
const GROUPS_N = (N + COLUMNS - 1u) / COLUMNS;
const GROUPS_M = (M + ROWS - 1u) / ROWS;
const K_CHUNK = (K + SPLITS - 1u) / SPLITS;
// One more than the tile, so that a column of it does not fall into one memory bank.
const A_PITCH = ROWS + 1u;
const B_PITCH = COLUMNS + 1u;

// spec begin bindings
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
// spec end

var<workgroup> aTile: array<f32, TILE_K * A_PITCH>;
var<workgroup> bTile: array<f32, TILE_K * B_PITCH>;

// spec begin epilogue
fn epilogue(row: u32, column: u32, split: u32, value: f32) {
  if (row < M && column < N) { c[row * N + column] = value; }
}
// spec end

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let groupIndex = group.x + group.y * GRID;
  // spec begin slice
  let split = groupIndex / (GROUPS_M * GROUPS_N);
  // spec end
  // A grid of two axes has workgroups to spare.
  if (split >= SPLITS) { return; }
  let tile = groupIndex % (GROUPS_M * GROUPS_N);
  let firstRow = tile / GROUPS_N * ROWS;
  let firstColumn = tile % GROUPS_N * COLUMNS;
  let threadRow = local / THREADS_N;
  let threadColumn = local % THREADS_N;
  let kBegin = split * K_CHUNK;
  let kEnd = min(K, kBegin + K_CHUNK);
  // spec begin sums
  var sum0_0 = 0.0; var sum0_1 = 0.0;
  var sum1_0 = 0.0; var sum1_1 = 0.0;
  // spec end
  // The last step may reach past the chunk: what lies outside counts as zero.
  for (var k0 = kBegin; k0 < kEnd; k0 += TILE_K) {
    // spec begin loadA
    for (var i = local; i < TILE_K * ROWS; i += WORKGROUP) {
      // Neighbouring threads read neighbouring addresses, whichever way the operand lies.
      let m = select(i / TILE_K, i % ROWS, A_TRANSPOSED);
      let k = select(i % TILE_K, i / ROWS, A_TRANSPOSED);
      let row = firstRow + m;
      let inside = row < M && k0 + k < kEnd;
      let index = select((k0 + k) + row * K, (k0 + k) * M + row, A_TRANSPOSED);
      aTile[k * A_PITCH + m] = select(0.0, a[select(0u, index, inside)], inside);
    }
    // spec end
    // spec begin loadB
    for (var i = local; i < TILE_K * COLUMNS; i += WORKGROUP) {
      let n = select(i % COLUMNS, i / TILE_K, B_TRANSPOSED);
      let k = select(i / COLUMNS, i % TILE_K, B_TRANSPOSED);
      let column = firstColumn + n;
      let inside = column < N && k0 + k < kEnd;
      let index = select((k0 + k) * N + column, (k0 + k) + column * K, B_TRANSPOSED);
      bTile[k * B_PITCH + n] = select(0.0, b[select(0u, index, inside)], inside);
    }
    // spec end
    workgroupBarrier();
    // spec begin columnSums
    // spec end
    for (var k = 0u; k < TILE_K; k++) {
      // spec begin products
      let a0 = aTile[k * A_PITCH + threadRow];
      let a1 = aTile[k * A_PITCH + threadRow + THREADS_M];
      let b0 = bTile[k * B_PITCH + threadColumn];
      let b1 = bTile[k * B_PITCH + threadColumn + THREADS_N];
      sum0_0 += a0 * b0; sum0_1 += a0 * b1;
      sum1_0 += a1 * b0; sum1_1 += a1 * b1;
      // spec end
    }
    workgroupBarrier();
  }
  // spec begin stores
  epilogue(firstRow + threadRow, firstColumn + threadColumn, split, sum0_0);
  epilogue(firstRow + threadRow, firstColumn + threadColumn + THREADS_N, split, sum0_1);
  epilogue(firstRow + threadRow + THREADS_M, firstColumn + threadColumn, split, sum1_0);
  epilogue(firstRow + threadRow + THREADS_M, firstColumn + threadColumn + THREADS_N, split, sum1_1);
  // spec end
  // spec begin after
  // spec end
}
