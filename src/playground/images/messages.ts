import type { DeviceFacts, TrainingMessage } from "../training/messages";

/** The device is there, or another network on it; what follows is about that. */
export interface Begun {
  kind: "begun";
  device: DeviceFacts;
}

/** What the worker tells the page of a network that it trains. */
export type Message<Look> = TrainingMessage | Begun | { kind: "look"; look: Look };

/** What is the same in every look. */
export interface Progress {
  step: number;
  /** Passes over the data. */
  epoch: number;
  /** The mean of the batches since the last look; null before the first. */
  loss: number | null;
  /** By the clock on the wall; 0 where it is not known yet. */
  picturesPerSecond: number;
}

export interface DigitsLook extends Progress {
  /** Of the digits that are held back. */
  heldLoss: number;
  share: number;
  /** [rows] what is said of each, and how sure the network is of it. */
  said: Int32Array;
  sureness: Float32Array;
  /** The kernels of the first convolution, [8, 5, 5]. */
  kernels: Float32Array;
}

/** What a network makes of one digit. */
export interface Reading {
  /** [10] */
  shares: Float32Array;
  /** What its convolutions see in it, each [filters, side, side] after the ReLU. */
  maps: { filters: number; side: number; values: Float32Array }[];
}

export interface AutoencoderLook extends Progress {
  /** Of the digits held back: the mean cross entropy of a pixel, and the share of the pixels' variance that is explained. */
  heldLoss: number;
  explained: number;
  /** What becomes of the first digits held back, [SHOWN, 784]. */
  after: Float32Array;
  /** [held back, code] */
  codes: Float32Array;
}

/** Digits held back whose picture is drawn again in every look. */
export const SHOWN = 10;

export const FEWEST_CLASSES = 2;
/** Of each class. */
export const FEWEST_PICTURES = 3;

/** A class of a visitor's own: its pictures are [3, 64, 64] of bytes. */
export interface PictureClass {
  name: string;
  pictures: Uint8Array[];
}

/** What is said of the pictures that are held back. */
export interface Checked {
  actual: Int32Array;
  said: Int32Array;
  share: number;
}

export interface Learning {
  kind: "learning";
  epoch: number;
  epochs: number;
  loss: number;
}

/** The classes are learnt; `checked` is null where there were too few pictures to hold any back. */
export interface Learnt {
  kind: "learnt";
  device: DeviceFacts;
  names: string[];
  pictures: number;
  seconds: number;
  checked: Checked | null;
  /** The network as it is saved. */
  file: Uint8Array;
}
