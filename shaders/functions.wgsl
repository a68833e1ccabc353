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

// sin(x + quarters π/2). WGSL's own are only near within [-π, π], and a compiler may undo what takes multiples of π/2 away in parts; so
// x 2/π is made in whole numbers, of the 96 bits of 2/π that matter to x, to 62 bits behind the point. Source: Payne and Hanek 1983.
fn sineTurned(x: f32, quarters: u32) -> f32 {
  let bits = bitcast<u32>(x);
  let size = bits & 0x7fffffffu;
  let near = size < 0x3f490fdbu;
  let skipped = select(min(size >> 23u, 254u) - 120u, 0u, near);
  let at = skipped >> 5u;
  let by = skipped & 31u;
  let words = vec4u(TWO_OVER_PI[at], TWO_OVER_PI[at + 1u], TWO_OVER_PI[at + 2u], TWO_OVER_PI[at + 3u]);
  let window = (words.xyz << vec3u(by)) | ((words.yzw >> vec3u(1u)) >> vec3u(31u - by));
  let m = (size & 0x7fffffu) | 0x800000u;
  let carried = highProduct(m, window.z);
  let behind = m * window.y + carried;
  let whole = m * window.x + highProduct(m, window.y) + u32(behind < carried);
  // The nearest quarter turn, and what is left of it: signed, 2^62 for a quarter.
  let turns = (whole + 0x20000000u) >> 30u;
  let rest = whole - (turns << 30u);
  let negative = rest >= 0x80000000u;
  let high = select(rest, ~rest + u32(behind == 0u), negative);
  let low = select(behind, ~behind + 1u, negative);
  // No float32 is nearer than 2^-30 to a multiple of π/2, so that `high` is not 0.
  let places = min(countLeadingZeros(high), 31u);
  let left = highProduct((high << places) | ((low >> 1u) >> (31u - places)), 0xc90fdaa2u);
  let far = f32(left) * bitcast<f32>((98u - places) << 23u);
  let signed = select(select(far, -far, negative), abs(x), near);
  let r = select(signed, -signed, bits >= 0x80000000u);
  let past = select(turns, 0u, near);
  let quarter = select(past, 0u - past, bits >= 0x80000000u) + quarters;
  let z = r * r;
  let sine = r + r * z * (-1.66666547e-1 + z * (8.33216553e-3 + z * -1.95159205e-4));
  let cosine = 1.0 - z * (0.5 - z * (4.16666462e-2 + z * (-1.38873412e-3 + z * 2.44358155e-5)));
  let value = select(sine, cosine, (quarter & 1u) != 0u);
  let turned = bitcast<u32>(value) ^ ((quarter & 2u) << 30u);
  return bitcast<f32>(select(turned, bits | 0x7fc00000u, size >= 0x7f800000u));
}
const TWO_OVER_PI = array<u32, 8>(0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu);

// x^y as C's pow: 2^(y log2 |x|), the exponent in whole numbers, to 31 bits of itself, where float32 would lose 7 of its 24 bits. With
// |x| = 2^e (1 + t), 1 + t between √½ and √2, log2 |x| = e + t G(t); G by a polynomial, least squares on Chebyshev's points.
fn power(x: f32, y: f32) -> f32 {
  let sizeX = bitcast<u32>(x) & 0x7fffffffu;
  let sizeY = bitcast<u32>(y) & 0x7fffffffu;
  let negativeX = bitcast<u32>(x) >= 0x80000000u;
  let negativeY = bitcast<u32>(y) >= 0x80000000u;
  // Above the bits of √½: e, and below them 1 + t. What is subnormal has leading zeros to be taken away.
  let lost = max(countLeadingZeros(sizeX), 8u) - 8u;
  let normal = select(sizeX, ((sizeX << lost) & 0x7fffffu) + ((1u - lost) << 23u), lost > 0u);
  let offset = bitcast<i32>(normal) - 0x3f3504f3;
  let mantissa = u32(offset & 0x7fffff) + 0x3f3504f3u;
  let below = mantissa < 0x3f800000u;
  let bits = mantissa & 0x7fffffu;
  let t = select(bits << 9u, (0x800000u - bits) << 8u, below);
  var g = 0x09ec0846u;
  for (var i = 0u; i < 12u; i++) {
    let term = highProduct(t, g);
    g = LOG2[i] + select(0u - term, term, below);
  }
  // t G is 2^63 for 1; log2 |x| in two words is 2^55 for 1, its sign taken off.
  let product = highProduct(t, g);
  let lower = (product << 24u) | ((t * g) >> 8u);
  let sum = select(product >> 8u, ~(product >> 8u) + u32(lower == 0u), below) + (bitcast<u32>(offset >> 23u) << 23u);
  let negative = sum >= 0x80000000u;
  let flips = below != negative;
  let high = select(sum, ~sum + u32(lower == 0u), negative);
  let low = select(lower, ~lower + 1u, flips);
  // Shifted to the left as far as it goes, then times y's 24 bits.
  let isLow = high == 0u;
  let upper = select(high, low, isLow);
  let by = countLeadingZeros(upper) & 31u;
  let aligned = (upper << by) | select((low >> 1u) >> (31u - by), 0u, isLow);
  let factor = (sizeY << 8u) | 0x80000000u;
  let middle = aligned * factor;
  let last = middle + highProduct(select(low << by, 0u, isLow), factor);
  let first = highProduct(aligned, factor) + u32(last < middle);
  // |y log2 |x||: 2^shift for 1 in the two words; an integer part and 32 bits.
  let shift = 181 + i32(by + select(0u, 32u, isLow)) - i32(sizeY >> 23u);
  let beyond = shift < 55 && upper != 0u;
  let inner = u32(clamp(shift, 55, 95) - 32) & 31u;
  let isSmall = shift >= 64;
  let whole = i32(select(first >> inner, 0u, isSmall));
  let part = select((first << (32u - inner)) | (last >> inner), select(first >> inner, 0u, shift >= 96), isSmall);
  let nearest = whole + i32(part >> 31u);
  let f = f32(bitcast<i32>(part)) * 0x1p-32f;
  let less = negative != negativeY;
  let n = clamp(select(nearest, -nearest, less), -252, 252);
  let r = select(f, -f, less);
  let e = 1.0 + r * (6.93147207e-1 + r * (2.40226511e-1 + r * (5.55032721e-2 + r * (9.61803596e-3 + r * (1.34004322e-3
    + r * 1.54673650e-4)))));
  let half = n >> 1u;
  let value = e * bitcast<f32>((half + 127) << 23u) * bitcast<f32>((n - half + 127) << 23u);
  // Of 0 and of infinities, and beyond float32, either end; odd integers keep the sign of x.
  let end = select(0u, 0x7f800000u, (sizeX > 0x3f800000u) != negativeY);
  var result = select(bitcast<u32>(value), end, beyond || sizeX == 0u || sizeX == 0x7f800000u || sizeY == 0x7f800000u);
  result = select(result, 0x3f800000u, sizeX == 0x3f800000u);
  let fraction = clamp(150 - i32(sizeY >> 23u), -1, 24);
  let digits = (sizeY & 0x7fffffu) | 0x800000u;
  let behind = u32(max(fraction, 0));
  let isInteger = (digits & ((1u << behind) - 1u)) == 0u;
  let isOdd = isInteger && fraction >= 0 && ((digits >> behind) & 1u) != 0u;
  result |= select(0u, 0x80000000u, negativeX && isOdd);
  let isNone = negativeX && !isInteger && sizeX != 0u && sizeX < 0x7f800000u;
  result = select(result, sizeX | 0x7fc00000u, isNone || sizeX > 0x7f800000u || sizeY > 0x7f800000u);
  return bitcast<f32>(select(result, 0x3f800000u, sizeY == 0u || bitcast<u32>(x) == 0x3f800000u));
}
// Of G, in |t|, whose signs alternate where t is positive; 2^31 for 1.
const LOG2 = array<u32, 12>(0x124bfb1cu, 0x1286751fu, 0x12521b4du, 0x1452901bu, 0x17142ad9u, 0x1a63f559u, 0x1ec72a89u, 0x24eeca33u,
  0x2e2a8e17u, 0x3d8e13d8u, 0x5c551d96u, 0xb8aa3b29u);

// The upper word of a product of two.
fn highProduct(a: u32, b: u32) -> u32 {
  let cross = (a >> 16u) * (b & 0xffffu) + (((a & 0xffffu) * (b & 0xffffu)) >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (cross & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (cross >> 16u) + (other >> 16u);
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
