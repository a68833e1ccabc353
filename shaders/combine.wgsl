// Ends reductions to one number: value = sum (or another reduction) over p of partials[place, p], then scalar arithmetic.
//
//   binding     access      shape
//   partials    read        [places, COUNT]   one buffer for each reduction
//   result      read_write  [places]
//
// A workgroup covers one place: one record of the submission's, or the only one. Workgroup memory: 4 * LANES bytes.

const LANES = 1u; // spec

// spec begin bindings
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
// spec end

var<workgroup> laneValues: array<f32, LANES>;

// spec begin join
fn join_sum(value: f32, local: u32) -> f32 {
  if (LANES == 1u) { return value; }
  laneValues[local] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (local < half) { laneValues[local] += laneValues[local + half]; }
    workgroupBarrier();
  }
  let total = laneValues[0];
  workgroupBarrier();
  return total;
}
// spec end

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let place = group.x + group.y * 65535u;
  // spec begin reductions
  var own = 0.0;
  for (var p = local; p < 64u; p += LANES) { own += partials[place * 64u + p]; }
  let total = join_sum(own, local);
  // spec end
  if (local == 0u) {
    // spec begin body
    result[place] = total;
    // spec end
  }
}
