import type { DeviceFacts, TrainingMessage } from "../training/messages";
import type { Sizes } from "./network";

export interface TextMade {
  device: DeviceFacts;
  sizes: Sizes;
  parameters: number;
  /** Parameters that learn: all, or the adapters alone. */
  learns: number;
  /** What it learns from; null: a network from a file, without a text. */
  name: string;
  characters: number;
  different: number;
  /** Characters of the text that the network does not know, and which were left out. */
  leftOut: number;
  adapters: boolean;
  step: number;
}

/** What was written, and what each head looked at on the way. */
export interface Written {
  step: number;
  prompt: string;
  text: string;
  /** The last characters, at most as many as the network sees at once. */
  seen: string[];
  blocks: number;
  heads: number;
  /** [blocks, heads, seen, seen]: of each character, how much it looks at each. */
  shares: Float32Array;
}

export interface TextLook {
  step: number;
  steps: number;
  /** The mean of the steps since the last look. */
  bits: number;
  /** Set where it was judged anew. */
  heldBack: number | null;
  charactersPerSecond: number;
}

export type TextMessage =
  | { kind: "made"; made: TextMade }
  | { kind: "look"; look: TextLook }
  | { kind: "written"; written: Written };

export type Message = TrainingMessage | TextMessage;
