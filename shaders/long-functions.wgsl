// Of few programs, and long: what kernels of sin, cos and pow call (functions.wgsl has the others, some of which these call).

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
