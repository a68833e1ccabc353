// What kernels call. A kernel's text gets those that it names, and those that they name: callers stand before what they call.
//
// WGSL lets a compiler assume that there is no NaN and no infinity, and adapters differ in what they make of them: max(NaN, 1) is 1
// everywhere, exp(NaN) and log(0) are plausible numbers on some, x - x and x * 0 are 0 on others whatever x is. So what must not be lost
// is asked of the bits. Left is what a compiler cancels out of several operations, as in (x + y) - x and x * (y / x): a NaN of x is lost there.

enable subgroups;

fn sigmoid(x: f32) -> f32 {
  // exp is only ever taken of what is not positive, so that it cannot overflow.
  let e = exponential(-abs(x));
  return select(1.0, e, x < 0.0) / (1.0 + e);
}

// log(1 + x) by f - (f²/2 - s (f²/2 + R(s²))), s = f / (2 + f), where it is small; R is what 2 atanh(s) has beyond 2 s.
fn logarithmOf1And(x: f32) -> f32 {
  let s = x / (2.0 + x);
  let z = s * s;
  let half = 0.5 * x * x;
  let r = z * (6.6666667e-1 + z * (4.0e-1 + z * (2.8571429e-1 + z * 2.2222222e-1)));
  let near = x - (half - s * (half + r));
  return select(logarithm(1.0 + x), near, x > -0.29 && x < 0.41);
}

// exp(x) - 1 by its series where it is small.
fn exponentialMinus1(x: f32) -> f32 {
  let near = x + x * x * (0.5 + x * (1.6666667e-1 + x * (4.1666668e-2 + x * (8.3333338e-3 + x * (1.3888889e-3
    + x * (1.9841270e-4 + x * 2.4801588e-5))))));
  return select(near, exponential(x) - 1.0, abs(x) >= 0.5);
}

// erf(x) = x + x P(x²) below 0.9277, 1 - exp(-x Q(x)) above; least squares on Chebyshev's points, within 1.3 units of roundoff.
fn errorFunction(x: f32) -> f32 {
  let z = x * x;
  let near = x + x * (1.28379166e-1 + z * (-3.76126349e-1 + z * (1.12836950e-1 + z * (-2.68593337e-2 + z * (5.20080747e-3
    + z * (-8.13954684e-4 + z * 8.35463143e-5))))));
  let t = min(abs(x), 4.0);
  let far = 1.0 - exp(-t * (1.12866569 + t * (6.35079503e-1 + t * (1.06359057e-1 + t * (-2.38702446e-2 + t * (3.69500881e-3
    + t * (-3.36071884e-4 + t * 1.25909046e-5)))))));
  // From the bits of 0.9277 up to those of infinity.
  return select(near, select(far, -far, x < 0.0), bitcast<u32>(abs(x)) - 0x3f6d7dbfu <= 0x40128241u);
}

fn exponential(x: f32) -> f32 { return select(exp(x), x, isNan(x)); }

// -infinity at 0, NaN below it, infinity at infinity.
fn logarithm(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let pole = select(select(bits | 0x7fc00000u, bits, bits == 0x7f800000u), bits | 0xff800000u, (bits & 0x7fffffffu) == 0u);
  return select(log(x), bitcast<f32>(pole), bits - 1u >= 0x7f7fffffu);
}

// WGSL's tanh may be computed as sinh/cosh, which overflows and loses what is near 0. NaN is near. Source: Cephes, tanhf.
fn tanhAccurate(x: f32) -> f32 {
  let a = abs(x);
  let z = x * x;
  let near = x + x * z * (-3.33332819422e-1 + z * (1.33314422036e-1 + z * (-5.37397155531e-2
    + z * (2.06390887954e-2 + z * -5.70498872745e-3))));
  let far = 1.0 - 2.0 / (exp(2.0 * min(a, 20.0)) + 1.0);
  // From the bits of 0.625 up to those of infinity.
  return select(near, select(far, -far, x < 0.0), bitcast<u32>(a) - 0x3f200000u <= 0x40600000u);
}

// Held to what both float32 and int32 have; NaN is 0.
fn integer(x: f32) -> i32 { return select(i32(x), 0i, isNan(x)); }

// x - x, and x * 0: 0, but NaN where x is infinite or NaN.
fn vanishing(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  return bitcast<f32>(select(0u, bits | 0x7fc00000u, (bits & 0x7f800000u) == 0x7f800000u));
}

// Jarzynski and Olano 2020, "Hash Functions for GPU Rendering", pcg3d.
fn randomUniform(counters: vec3i) -> f32 {
  var v = bitcast<vec3u>(counters) * 1664525u + 1013904223u;
  v.x += v.y * v.z; v.y += v.z * v.x; v.z += v.x * v.y;
  v ^= v >> vec3u(16u);
  v.x += v.y * v.z;
  return f32(v.x >> 8u) * 0x1p-24f;
}

fn subgroupLarger(x: f32) -> f32 { return subgroupMax(x) + subgroupAdd(select(0.0, x, isNan(x))); }

// Whether a comes before b as the largest: NaN is above all, and one NaN not above another.
fn exceeds(a: f32, b: f32) -> bool { return !isNan(b) & (isNan(a) | (a > b)); }

// The larger and the smaller of two, and NaN where one is.
fn larger(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, isNan(b)), a, isNan(a)); }
fn smaller(a: f32, b: f32) -> f32 { return select(select(min(a, b), b, isNan(b)), a, isNan(a)); }

// 2^23 or more, an infinity, NaN: what has no fraction.
fn isWhole(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) >= 0x4b000000u; }

fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

// What a maximum starts from: -infinity, which may not be written as a number.
fn lowest() -> f32 { return bitcast<f32>(lowestBits); }
var<private> lowestBits = 0xff800000u;
