// y[o, r, i] = x[o, r, i] + the sum of v[o, k, i] over those k whose index[o, k, i] is r, in the order of k; then what follows from y,
// element by element. What a gather is the derivative of: rows of a table, or elements along an axis.
//
//   binding     access      shape
//   index       read        [OUTER, COUNT, INNER], of a table's rows one for all of INNER
//   x, v        read        [OUTER, ROWS, INNER], [OUTER, COUNT, INNER]
//   y           read_write  [OUTER, ROWS, INNER], also in place of x
//
// A thread owns ROWS_EACH rows of one column: it alone reads and writes them, so that there is no race and no atomic; and it goes through
// the indices in their order, so that every sum has one order. Neighbouring threads own neighbouring columns: what they load and store
// lies side by side, and an index that is the same for all of them is one load of a subgroup.
//
// Every owner looks at all COUNT indices of its column and mostly passes on: with R = ROWS / ROWS_EACH owners a column that is R * COUNT
// looks a column and COUNT additions. Sorting the indices first would look at each but a few times, and takes a kernel and a barrier for
// each digit; looks are loads that neighbours share, several of them under way at once (AT_ONCE), and a kernel is as long as one thread's
// COUNT looks however many rows there are. Bytes: x, v and y once, and y as often again as values are added; no buffer besides.
// Workgroup memory: none, or 4 * WORKGROUP bytes where it begins a reduction to one number.

const OWNERS = 640u; // spec
const WORKGROUP = 64u; // spec
const GRID = 65535u; // spec

// spec begin bindings
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> index: array<i32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
// spec end

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let groupIndex = group.x + group.y * GRID;
  // A grid of two axes has workgroups to spare.
  if (groupIndex * WORKGROUP >= OWNERS) { return; }
  let owner = groupIndex * WORKGROUP + local;
  let inRange = owner < OWNERS;
  // spec begin body
  if (inRange) {
    y[owner] = x[owner];
    for (var k = 0u; k < arrayLength(&index); k++) {
      if (u32(index[k]) == owner) { y[owner] += v[k]; }
    }
  }
  // spec end
}
