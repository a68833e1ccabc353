import type { Program, Shape, Tensor, Values } from "../../../index";
import { fed, type Given } from "../fed";
import { integers, normal, sizeOf } from "../numbers";

/** One step, the operation it is there for, and what it is given. */
export interface Case {
  op: string;
  name: string;
  program: Program;
  parameters: Record<string, Values>;
  inputs: Record<string, Values>;
}

/** A file's own list, and what adds to it; its random numbers begin after `seed`. */
export function caseList(seed: number) {
  const cases: Case[] = [];
  let last = seed;
  return {
    cases,
    add(op: string, name: string, build: (...inputs: Tensor[]) => Tensor, ...given: Given[]): void {
      cases.push({ op, name: `${op}: ${name}`, parameters: {}, ...fed(build, ...given) });
    },
    draw: (...shape: number[]): Given => [shape, normal(sizeOf(shape), ++last)],
    drawIntegers: (below: number, ...shape: number[]): Given => [shape, integers(sizeOf(shape), below, ++last)],
  };
}

/** Every kernel is tried on these: zeros of both signs, subnormals, the ends of exp and of float32, what is ordinary between. */
const MAGNITUDES = [0, 1e-45, 1e-40, 1.2e-38, 1e-30, 1e-4, 0.1, 0.5, 0.62, 0.63, 1, 2, 3.7, 10, 88.7, 89, 1e4, 3e38];
export const EXTREMES = Float32Array.from([...MAGNITUDES, ...MAGNITUDES.map((x) => -x)]);
export const extremes = (): Given => [[EXTREMES.length], EXTREMES];

export const shapeName = (shape: Shape) => `[${shape.join(", ")}]`;
