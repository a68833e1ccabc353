// A scan in one dispatch of one workgroup: a loop over the steps, in which each kernel of the step is a part, the workgroup's threads
// side by side. What the steps carry, and what a step's kernels leave for one another, lies in workgroup memory, or where it does not
// fit, or there are more buffers than an adapter binds, in `packed`.
//
//   binding     access      shape
//   bindings    read, read_write   what the scan reads, and its parts; packed
//
// Workgroup memory: 4 * MEMORY bytes and what reductions share, 4 * WORKGROUP.

const WORKGROUP = 64u; // spec
const MEMORY = 2u; // spec

// spec begin bindings
@group(0) @binding(0) var<storage, read_write> packed: array<u32>;
// spec end

// As bits: a float that is no more than an integer's bits might be flushed to zero on its way.
var<workgroup> memory: array<u32, MEMORY>;

// spec begin join
// fn join_sum(value: f32, local: u32) -> f32, the sum over all threads, and one for each other reduction: kernels/partials.ts.
// spec end

// spec begin functions
// spec end

@compute @workgroup_size(WORKGROUP)
// spec begin main
fn main(@builtin(local_invocation_index) local: u32) {
// spec end
  // spec begin body
  for (var count = 0u; count < 10u; count++) {
    if (local == 0u) { memory[0] = bitcast<u32>(bitcast<f32>(memory[0]) * 0.5); }
    workgroupBarrier();
    if (local == 0u) { packed[count] = memory[0]; }
  }
  // spec end
}
