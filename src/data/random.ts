import { mersenne } from "pure-rand/generator/mersenne";
import { checkSeed } from "../util/checks";
import { log } from "./log";

/**
 * NumPy's legacy generator: each method gives what the method of the same name of
 * `numpy.random.RandomState(seed)` gives, in the same order of draws.
 *
 * All are equal to the bit, but for `randn` and `normal`: NumPy takes the `log` of the C library of the machine it
 * runs on, whose last digit differs between machines. Here it is correctly rounded. Against NumPy on Linux x86-64,
 * one value in 2,800 differs, by one or two units in the last place of float64; rounded to float32, none of 2,000,000.
 *
 * Each `n` is a count of values, 0 to 2^31 - 1. A bad argument is a RangeError and draws nothing.
 */
export interface RandomState {
  /** Uniform on [0, 1), of 53 random bits each. */
  rand(n: number): Float64Array;
  /** Normal, mean 0 and standard deviation 1. Two come from each draw; the second waits for the next call. */
  randn(n: number): Float64Array;
  /** Uniform on [low, high). */
  uniform(low: number, high: number, n: number): Float64Array;
  /** Normal, with `mean` and standard deviation `deviation` (not negative). */
  normal(mean: number, deviation: number, n: number): Float64Array;
  /** Integers from `low` up to and without `high`, both within int32. */
  randint(low: number, high: number, n: number): Int32Array;
  /** 0 … n-1 in random order. */
  permutation(n: number): Int32Array;
  /** Puts `array` into random order, in place. */
  shuffle(array: { readonly length: number; [index: number]: unknown }): void;
}

/**
 * A generator of its own, seeded with an integer from 0 to 2^32 - 1; any other seed is a RangeError.
 * Source: Matsumoto and Nishimura 1998 (MT19937); numpy/random/mtrand.pyx and legacy-distributions.c.
 */
export function randomState(seed: number): RandomState {
  checkSeed("randomState", seed);
  const twister = mersenne(seed);
  const nextUint32 = (): number => twister.next() >>> 0;

  const nextDouble = (): number => {
    const high = nextUint32() >>> 5;
    const low = nextUint32() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  };

  let waiting: number | undefined;
  /** Marsaglia's polar method, in the order of numpy's legacy_gauss. */
  const nextGauss = (): number => {
    if (waiting !== undefined) {
      const gauss = waiting;
      waiting = undefined;
      return gauss;
    }
    let x: number;
    let y: number;
    let squared: number;
    do {
      x = 2 * nextDouble() - 1;
      y = 2 * nextDouble() - 1;
      squared = x * x + y * y;
    } while (squared >= 1 || squared === 0);
    const scale = Math.sqrt((-2 * log(squared)) / squared);
    waiting = scale * x;
    return scale * y;
  };

  /** Uniform on 0 … max: draws are masked to max's bits, and those above it drawn again (numpy's random_interval). */
  const nextUpTo = (max: number): number => {
    if (max === 0) return 0;
    const mask = 0xffffffff >>> Math.clz32(max);
    for (;;) {
      const value = (nextUint32() & mask) >>> 0;
      if (value <= max) return value;
    }
  };

  const shuffle = (array: { readonly length: number; [index: number]: unknown }): void => {
    for (let i = array.length - 1; i > 0; i--) {
      const j = nextUpTo(i);
      const moved = array[i];
      array[i] = array[j];
      array[j] = moved;
    }
  };

  return {
    rand: (n) => drawn("rand", n, nextDouble),
    randn: (n) => drawn("randn", n, nextGauss),
    uniform(low, high, n) {
      if (!Number.isFinite(high - low)) {
        throw new RangeError(`uniform: the range is [${low}, ${high}); both ends and their distance must be finite.`);
      }
      return drawn("uniform", n, () => low + (high - low) * nextDouble());
    },
    normal(mean, deviation, n) {
      if (!Number.isFinite(mean) || !Number.isFinite(deviation) || deviation < 0) {
        throw new RangeError(
          `normal: mean is ${mean}, deviation is ${deviation}; both must be finite and the deviation not negative.`,
        );
      }
      return drawn("normal", n, () => mean + deviation * nextGauss());
    },
    randint(low, high, n) {
      const within = Number.isInteger(low) && Number.isInteger(high) && low >= -(2 ** 31) && high <= 2 ** 31;
      if (!within || low >= high) {
        throw new RangeError(
          `randint: the range is from ${low} up to and without ${high}; both must be integers within int32, the first the lesser.`,
        );
      }
      checkCount("randint", n);
      const span = high - 1 - low;
      return Int32Array.from({ length: n }, () => low + nextUpTo(span));
    },
    permutation(n) {
      checkCount("permutation", n);
      const order = Int32Array.from({ length: n }, (_, i) => i);
      shuffle(order);
      return order;
    },
    shuffle,
  };
}

function checkCount(part: string, n: number): void {
  if (!Number.isInteger(n) || n < 0 || n > 0x7fffffff) {
    throw new RangeError(`${part}: n is ${n}; it must be an integer from 0 to 2147483647 (2^31 - 1).`);
  }
}

function drawn(part: string, n: number, next: () => number): Float64Array {
  checkCount(part, n);
  const values = new Float64Array(n);
  for (let i = 0; i < n; i++) values[i] = next();
  return values;
}
