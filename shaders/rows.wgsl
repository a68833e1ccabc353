// Reductions along the middle axis of [OUTER, LENGTH, INNER] and what follows from them in the same row: sums, maxima,
// argmax, softmax, cross entropy and its derivative. As many passes over the row as results build on one another.
//
//   binding     access      shape
//   x           read        [OUTER, LENGTH, INNER]   any number of operands
//   y           read_write  [OUTER, INNER]           results of a row, or of each element
//
// A workgroup covers ROWS_PER_GROUP rows with LANES threads each; neighbouring threads read neighbouring elements.
// Workgroup memory: 4 * WORKGROUP bytes where LANES > 1, as much again for argmax.

const OUTER = 16u; // spec
const LENGTH = 10u; // spec
const INNER = 1u; // spec
const LANES = 1u; // spec
const WORKGROUP = 64u; // spec
const GRID = 65535u; // spec
const ROWS = OUTER * INNER;
const ROWS_PER_GROUP = WORKGROUP / LANES;

// spec begin bindings
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
// spec end

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let groupIndex = group.x + group.y * GRID;
  // A grid of two axes has workgroups to spare.
  if (groupIndex * ROWS_PER_GROUP >= ROWS) { return; }
  // Along the last axis the lanes of a row are neighbours, else the rows are.
  let lane = select(local / ROWS_PER_GROUP, local % LANES, INNER == 1u);
  let rowLocal = select(local % ROWS_PER_GROUP, local / LANES, INNER == 1u);
  let row = groupIndex * ROWS_PER_GROUP + rowLocal;
  let inRange = row < ROWS;
  let first = row / INNER * (LENGTH * INNER) + row % INNER;
  let end = select(0u, LENGTH, inRange);
  // spec begin body
  var sum = 0.0;
  for (var l = lane; l < end; l += LANES) { sum += x[first + l * INNER]; }
  if (inRange && lane == 0u) { y[row] = sum; }
  // spec end
}
