import { avgPool2d, conv2d, flatten, type Layer } from "../../index";
import { bytesAt } from "../data/mnist";

/** What the network looks at: a picture's three colours, [3, 64, 64] from 0 to 1. */
export const PICTURE_SIDE = 64;
export const PICTURE = [3, PICTURE_SIDE, PICTURE_SIDE] as const;
export const PICTURE_SIZE = 3 * PICTURE_SIDE * PICTURE_SIDE;

/**
 * What sees: convolutions that have learnt to tell 120 made-up objects and the digits of MNIST apart (examples/backbone.ts), [3, 64, 64] to
 * [256]. They stay as they are.
 */
export function backbone(): Layer[] {
  return [
    conv2d(16, 3, { stride: 2, padding: 1, activation: "relu" }), // [16, 32, 32]
    conv2d(32, 3, { stride: 2, padding: 1, activation: "relu" }), // [32, 16, 16]
    conv2d(48, 3, { stride: 2, padding: 1, activation: "relu" }), // [48, 8, 8]
    conv2d(64, 3, { padding: 1, activation: "relu" }), // [64, 8, 8]
    avgPool2d(4), // [64, 2, 2]
    flatten(),
  ];
}

/** Names of its parameters begin so: an activation is a module too. */
export const FROZEN = ["0", "2", "4", "6"];

/** Its weights, as a safetensors file. */
export function backboneFile(): Promise<Uint8Array> {
  return bytesAt(new URL("../data/backbone.safetensors", import.meta.url));
}
