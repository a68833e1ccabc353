import type { RandomState } from "wgrad";

/** Pixels on a side of these pictures. */
export const SIDE = 64;
const PIXELS = SIDE * SIDE;

type Rgb = readonly [number, number, number];

const KINDS = ["disc", "box", "triangle", "ring", "cross", "drop"] as const;
const TEXTURES = ["plain", "plain", "stripes", "checks", "dots"] as const;

/** A part of an object: where it is, in units of half a picture, what it is, and how it is painted. */
interface Part {
  kind: (typeof KINDS)[number];
  at: readonly [number, number];
  size: number;
  /** Its height by its width. */
  aspect: number;
  angle: number;
  colour: Rgb;
  other: Rgb;
  texture: (typeof TEXTURES)[number];
  /** Periods of the texture over half a picture. */
  periods: number;
}

/** A thing that does not exist: a few parts that keep their places. */
export type MadeUp = readonly Part[];

/** So many of them, drawn at random. */
export function madeUpObjects(count: number, random: RandomState): MadeUp[] {
  return Array.from({ length: count }, () =>
    Array.from({ length: 2 + pick(random, 3) }, (_, part) => partOf(random, part === 0 ? 0.15 : 0.45)),
  );
}

/**
 * A picture [3, 64, 64] from 0 to 1 of an object: turned, moved, nearer or farther, in another light, before a background of its own with other
 * things in it.
 */
export function pictureOf(object: MadeUp, random: RandomState): Float32Array {
  const picture = background(random);
  const [turn, size, right, down] = draw(random, [-0.5, 0.5], [0.65, 1.25], [-0.25, 0.25], [-0.25, 0.25]);
  for (const part of object) paint(picture, part, { turn, size, right, down });
  return lit(picture, random);
}

/** The same of a digit [28, 28] from 0 to 1: in a colour, before such a background. */
export function pictureOfDigit(digit: Float32Array, random: RandomState): Float32Array {
  const picture = background(random);
  const ink = colourOf(random);
  const [size, right, down] = draw(random, [1.4, 2.5], [-8, 8], [-8, 8]);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const share = sampled(digit, (x - SIDE / 2 - right) / size + 13.5, (y - SIDE / 2 - down) / size + 13.5);
      blend(picture, y * SIDE + x, ink, share);
    }
  }
  return lit(picture, random);
}

interface View {
  turn: number;
  size: number;
  right: number;
  down: number;
}

function background(random: RandomState): Float32Array {
  const picture = new Float32Array(3 * PIXELS);
  const [one, two] = [colourOf(random), colourOf(random)];
  const [across, along, waves, phase] = draw(random, [-1, 1], [-1, 1], [0, 9], [0, 6]);
  for (let i = 0; i < PIXELS; i++) {
    const [x, y] = place(i);
    const share = 0.5 + 0.25 * (x * across + y * along) + 0.2 * Math.sin(waves * (x * along - y * across) + phase);
    for (let c = 0; c < 3; c++) picture[c * PIXELS + i] = mix(one[c] as number, two[c] as number, clamp(share));
  }
  for (let things = pick(random, 3); things > 0; things--)
    paint(picture, partOf(random, 1), { turn: 0, size: 0.8, right: 0, down: 0 });
  return picture;
}

/** Another light, and the noise of a camera. */
function lit(picture: Float32Array, random: RandomState): Float32Array {
  const [contrast, light, noise] = draw(random, [0.6, 1.3], [-0.2, 0.2], [0, 0.2]);
  const tint = random.uniform(0.85, 1.15, 3);
  const grain = random.rand(picture.length);
  return picture.map((value, i) =>
    clamp(
      (value - 0.5) * contrast * (tint[Math.floor(i / PIXELS)] as number) +
        0.5 +
        light +
        noise * ((grain[i] as number) - 0.5),
    ),
  );
}

function paint(picture: Float32Array, part: Part, { turn, size, right, down }: View): void {
  const { kind, at, aspect, angle, colour, other } = part;
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  const [middleX, middleY] = [right + size * (cos * at[0] - sin * at[1]), down + size * (sin * at[0] + cos * at[1])];
  const [partCos, partSin] = [Math.cos(angle + turn), Math.sin(angle + turn)];
  const [width, height] = [part.size * size, part.size * size * aspect];
  const reach = 1.5 * Math.max(width, height);
  const pixel = (place: number) => Math.min(SIDE, Math.max(0, Math.round((place + 1) * (SIDE / 2))));
  for (let row = pixel(middleY - reach); row < pixel(middleY + reach); row++) {
    for (let column = pixel(middleX - reach); column < pixel(middleX + reach); column++) {
      const i = row * SIDE + column;
      const [px, py] = place(i);
      const [dx, dy] = [px - middleX, py - middleY];
      const [x, y] = [(partCos * dx + partSin * dy) / width, (partCos * dy - partSin * dx) / height];
      const share = clamp(0.5 - distance(kind, x, y) * width * (SIDE / 2));
      if (share > 0) blend(picture, i, textured(part, x * part.size, y * part.size) ? other : colour, share);
    }
  }
}

/** How far [x, y] is from the edge of such a shape of radius 1; negative within it, and only near it right. */
function distance(kind: Part["kind"], x: number, y: number): number {
  const [ax, ay] = [Math.abs(x), Math.abs(y)];
  switch (kind) {
    case "disc":
      return Math.hypot(x, y) - 1;
    case "box":
      return Math.max(ax, ay) - 0.85;
    case "triangle":
      return Math.max(0.87 * ax + 0.5 * y, -y) - 0.5;
    case "ring":
      return Math.abs(Math.hypot(x, y) - 0.75) - 0.22;
    case "cross":
      return Math.min(Math.max(ax - 0.95, ay - 0.3), Math.max(ay - 0.95, ax - 0.3));
    case "drop":
      return Math.hypot(x * (1.2 + 0.8 * y), y) - 0.9;
    default:
      return kind satisfies never;
  }
}

function textured({ texture, periods }: Part, x: number, y: number): boolean {
  const odd = (value: number) => Math.floor(value * periods * 2) % 2 !== 0;
  switch (texture) {
    case "plain":
      return false;
    case "stripes":
      return odd(x);
    case "checks":
      return odd(x) !== odd(y);
    case "dots":
      return Math.sin(6.3 * periods * x) * Math.sin(6.3 * periods * y) > 0.3;
    default:
      return texture satisfies never;
  }
}

/** At most `off` from the middle. */
function partOf(random: RandomState, off: number): Part {
  const [x, y, size, aspect, angle, periods] = draw(
    random,
    [-off, off],
    [-off, off],
    [0.15, 0.5],
    [0.5, 1.4],
    [0, 6.3],
    [2, 6],
  );
  const [kind, texture] = [KINDS[pick(random, KINDS.length)], TEXTURES[pick(random, TEXTURES.length)]];
  const [colour, other] = [colourOf(random), colourOf(random)];
  return { kind: kind ?? "disc", at: [x, y], size, aspect, angle, colour, other, texture: texture ?? "plain", periods };
}

function colourOf(random: RandomState): Rgb {
  const [hue, strength, light] = draw(random, [0, 6], [0, 1], [0.1, 1]);
  // As in HSV: of the three colours one is full, one is short of it, one is between.
  const channel = (shift: number) => {
    const k = (shift + hue) % 6;
    return light * (1 - strength * Math.max(0, Math.min(k, 4 - k, 1)));
  };
  return [channel(5), channel(3), channel(1)];
}

function blend(picture: Float32Array, at: number, colour: Rgb, share: number): void {
  for (let c = 0; c < 3; c++) {
    const i = c * PIXELS + at;
    picture[i] = mix(picture[i] as number, colour[c] as number, share);
  }
}

/** A pixel's place, from -1 to 1. */
function place(i: number): [number, number] {
  return [((i % SIDE) + 0.5) / (SIDE / 2) - 1, (Math.floor(i / SIDE) + 0.5) / (SIDE / 2) - 1];
}

/** Between the pixels of a digit. */
function sampled(digit: Float32Array, x: number, y: number): number {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const at = (dx: number, dy: number) => {
    const [column, row] = [left + dx, top + dy];
    return column < 0 || row < 0 || column > 27 || row > 27 ? 0 : (digit[row * 28 + column] as number);
  };
  return mix(mix(at(0, 0), at(1, 0), x - left), mix(at(0, 1), at(1, 1), x - left), y - top);
}

/** One number uniform in each range. */
function draw<const R extends readonly (readonly [number, number])[]>(
  random: RandomState,
  ...ranges: R
): { [K in keyof R]: number } {
  return ranges.map(([low, high]) => random.uniform(low, high, 1)[0]) as { [K in keyof R]: number };
}

function pick(random: RandomState, count: number): number {
  return random.randint(0, count, 1)[0] as number;
}

function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
