// y[i] = f(x[i], ...): a chain of elementwise operations, each thread taking every THREADS-th element.
//
//   binding     access      shape
//   x           read        [SIZE]     any number of operands, also broadcast and transposed
//   y           read_write  [SIZE]     any number of results, also in place of an operand
//
// A workgroup covers WORKGROUP neighbouring elements at a time. Workgroup memory: none, or
// 4 * WORKGROUP bytes where it begins a reduction to one number.

const SIZE = 1024u; // spec
const THREADS = 1024u; // spec
const WORKGROUP = 64u; // spec
const GRID = 65535u; // spec

// spec begin bindings
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
// spec end

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let groupIndex = group.x + group.y * GRID;
  // spec begin before
  // spec end
  for (var i = groupIndex * WORKGROUP + local; i < SIZE; i += THREADS) {
    // spec begin body
    y[i] = x[i];
    // spec end
  }
  // spec begin after
  // spec end
}
