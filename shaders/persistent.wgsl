// A whole program in one dispatch: one workgroup runs `run.x` training steps, with weights, intermediates and data in
// workgroup memory and a barrier wherever one operation needs what another left. One workgroup is one network. Where it is one
// subgroup and the weights are few, every thread holds all of them in variables, computes their updates for itself, and waits for
// nobody.
//
//   binding     access      shape
//   state       read_write  parameters, inputs, constants and outputs, one after the other, as bits: floats and integers alike;
//                           last, the count of steps that were done
//   history     read_write  [records, scalars]   a record for each step that is asked for
//   run         uniform     steps, index of the first, record every so many, steps of the whole run
//
// Workgroup memory: 4 * MEMORY bytes and what reductions share, 4 * WORKGROUP.

// spec begin enable
// spec end

const WORKGROUP = 64u; // spec
const MEMORY = 2u; // spec
const COUNT = 1u; // spec

// spec begin bindings
@group(0) @binding(0) var<storage, read_write> state: array<u32>;
@group(0) @binding(1) var<uniform> run: vec4u;
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
  // spec begin load
  for (var i = local; i < 1u; i += WORKGROUP) { memory[i] = state[i]; }
  // spec end
  workgroupBarrier();
  let steps = run.x;
  let first = run.y;
  let every = run.z;
  let last = run.w - 1u;
  var record = 0u;
  var done = 0u;
  for (var t = first; t < first + steps; t++) {
    let recorded = t % every == 0u || t == last;
    // spec begin step
    if (local == 0u) { memory[0] = bitcast<u32>(bitcast<f32>(memory[0]) * 0.5); }
    // spec end
    // spec begin wait
    workgroupBarrier();
    // spec end
    record += select(0u, 1u, recorded);
    done++;
  }
  // spec begin store
  for (var i = local; i < 1u; i += WORKGROUP) { state[i] = memory[i]; }
  // spec end
  // What ends a thread's loops early does not enter this one either, whose only turn no compiler can foresee: then nothing is
  // counted, and the host, which compares, believes nothing.
  for (var i = 0u; i < steps; i += steps) {
    // spec begin count
    if (local == 0u) { state[COUNT] = (state[COUNT] + done) & 0xffffffu; }
    // spec end
  }
}
