import { isAdapter } from "../../../examples/lora";
import type { Device } from "../../index";
import type { Config } from "../config";
import { factsOf } from "../training/device";
import { Training } from "../training/training";
import { describedIn, metadataOf } from "./file";
import { GptRun, type RunParts } from "./gpt-run";
import type { TextLook, TextMessage } from "./messages";
import { SIZES, type Sizes } from "./network";
import { type Alphabet, alphabetIn, cleaned, parts } from "./text";
import type { Wish } from "./writer";

/** How often it is judged and heard while it trains, in milliseconds. */
const HEARD_MS = 2500;
/** Characters of a second text that the network need not know, as a share of it. */
const MOST_UNKNOWN = 0.1;

export interface TextSource {
  name: string;
  /** Null: the one that comes with the page, Genesis to begin with and Proverbs after it. */
  text: string | null;
}

export interface TextOptions {
  size: "auto" | keyof typeof SIZES;
  steps: number;
  backend: Config["backend"];
}

/** A text with its characters numbered. */
interface Numbered {
  name: string;
  text: string;
  tokens: Int32Array;
  leftOut: number;
}

/** Trains a network to write, in a worker. */
export class TextEngine extends Training<TextMessage> {
  private run: GptRun | null = null;
  private source: Numbered | null = null;
  private backend: Config["backend"] = "auto";
  private wish: Wish = { prompt: "", temperature: 0.7 };
  private heardAt = 0;

  /** A network for this text, in place of the one before. Throws RangeError for a text that cannot be learnt, and then changes nothing. */
  make({ name, text: given }: TextSource, { size, steps, backend }: TextOptions, train: boolean): Promise<void> {
    return this.replacing(async () => {
      const text = cleaned(given ?? (await ownText("genesis")));
      const alphabet = alphabetIn(text);
      const source = numbered(name, text, alphabet);
      parts(source.tokens, SIZES.small.length); // what is too short is told before anything is given up
      this.backend = backend;
      const device = await this.open(backend);
      const sizes = sizesOf(device, size);
      const data = parts(source.tokens, sizes.length);
      await this.begin(device, source, { sizes, alphabet, data, adapters: false, steps, weights: {} });
      if (train) void this.train();
    });
  }

  /** Goes on on another text, by adapters alone. Throws RangeError where the text does not fit, and then changes nothing. */
  tune({ name, text: given }: TextSource, steps: number): Promise<void> {
    return this.replacing(async () => {
      const { trainer, parts: before } = this.known();
      const source = numbered(name, cleaned(given ?? (await ownText("proverbs"))), before.alphabet);
      const unknown = source.leftOut / Math.max(1, source.leftOut + source.tokens.length);
      if (unknown > MOST_UNKNOWN) {
        throw new RangeError(
          `Of this text the network does not know ${Math.round(100 * unknown)} % of the characters; at most ${100 * MOST_UNKNOWN} % can be left out. Train a network of its own on it.`,
        );
      }
      const data = parts(source.tokens, before.sizes.length);
      const weights = await trainer.weights();
      const device = await this.open(this.backend);
      await this.begin(device, source, { ...before, data, adapters: true, steps, weights });
      void this.train();
    });
  }

  /** A network from a file; it goes on with the text that is there, where that has enough characters that it knows. Throws FormatError. */
  load(file: Uint8Array, { steps, backend }: Pick<TextOptions, "steps" | "backend">): Promise<void> {
    return this.replacing(async () => {
      const described = describedIn(file);
      const known = this.source && numbered(this.source.name, this.source.text, described.alphabet);
      const source =
        known && known.leftOut === 0 ? known : { name: "", text: "", tokens: new Int32Array(), leftOut: 0 };
      const data = source.name === "" ? null : parts(source.tokens, described.sizes.length);
      this.backend = backend;
      const device = await this.open(backend);
      await this.begin(device, source, { ...described, data, steps, weights: {} }, file);
    });
  }

  save(): Promise<Uint8Array> {
    return this.after(async () => {
      const { trainer, parts } = this.known();
      return trainer.save({ metadata: metadataOf(parts) });
    });
  }

  /** How it is to write from now on; and writes so. */
  write(wish: Wish): Promise<void> {
    this.wish = wish;
    return this.after(() => this.guarded(async () => this.run && this.heard()));
  }

  protected advance(): Promise<void> {
    return this.guarded(async () => {
      const run = this.known();
      if (run.step >= run.parts.steps) return this.finish();
      const { look, history } = await run.train();
      this.moved(run.trainer.device, history.recovered?.at(-1)?.step ?? run.step);
      const finished = run.step >= run.parts.steps;
      if (finished || performance.now() - this.heardAt > HEARD_MS) await this.judged(look);
      else this.tell({ kind: "look", look });
      if (finished) this.finish();
    });
  }

  protected override started(): void {
    this.run?.speed.restart();
  }

  protected override paused(): Promise<void> {
    return this.guarded(async () => {
      if (this.run && this.run.step > 0) await this.heard();
    });
  }

  protected release(): void {
    this.run?.dispose();
    this.run = null;
  }

  protected outlive(): void {
    if (this.training || !this.run) return;
    const { run, source } = this;
    void this.after(() =>
      this.guarded(async () => {
        if (run !== this.run) return;
        const weights = await run.trainer.weights(); // finds another device, where it has begun to train
        this.moved(run.trainer.device, run.step);
        if (run.recovers || !source) return;
        this.opened = null;
        const device = await this.open(this.backend);
        await this.begin(device, source, { ...run.parts, weights });
      }),
    );
  }

  /** Whatever ends it, a page that trained before knows that it does so no more. */
  private replacing(task: () => Promise<void>): Promise<void> {
    const trained = this.training;
    this.training = false;
    return this.after(async () => {
      if (trained) this.tell({ kind: "state", state: "paused" });
      await task();
    });
  }

  private async begin(device: Device, source: Numbered, parts: RunParts, file?: Uint8Array): Promise<void> {
    const run = await GptRun.create(device, parts);
    if (file) {
      try {
        run.trainer.load(file);
      } catch (error) {
        run.dispose();
        throw error;
      }
    }
    this.release();
    [this.run, this.source] = [run, source];
    const { sizes, alphabet, adapters } = parts;
    const shapes = Object.entries(run.model.parameters);
    const count = (of: typeof shapes) =>
      of.reduce((sum, [, shape]) => sum + shape.reduce((product, size) => product * size, 1), 0);
    this.tell({
      kind: "made",
      made: {
        ...{ device: factsOf(device), sizes, adapters, name: source.name, leftOut: source.leftOut, step: run.step },
        parameters: count(shapes),
        learns: count(adapters ? shapes.filter(([name]) => isAdapter(name)) : shapes),
        characters: source.tokens.length,
        different: alphabet.characters.length,
      },
    });
    const look = { step: run.step, steps: parts.steps, bits: Number.NaN, heldBack: null, charactersPerSecond: 0 };
    await this.guarded(() => this.judged(look));
  }

  private async judged(look: TextLook): Promise<void> {
    const heldBack = await this.known().heldBack();
    this.tell({ kind: "look", look: { ...look, heldBack } });
    await this.heard();
    this.heardAt = performance.now();
  }

  private async heard(): Promise<void> {
    const written = await this.known().write(this.wish);
    if (written) this.tell({ kind: "written", written });
  }

  private known(): GptRun {
    if (!this.run) throw new Error("There is no network yet.");
    return this.run;
  }
}

function sizesOf({ backend, info }: Device, size: TextOptions["size"]): Sizes {
  if (size !== "auto") return SIZES[size];
  return backend === "webgpu" && !info.isFallback ? SIZES.large : SIZES.small;
}

function numbered(name: string, text: string, alphabet: Alphabet): Numbered {
  const tokens = alphabet.tokens(text);
  return { name, text, tokens, leftOut: [...text].length - tokens.length };
}

/** Of the King James Version, what comes with the page; asked for when it is wanted. */
async function ownText(book: "genesis" | "proverbs"): Promise<string> {
  const { default: address } =
    book === "genesis"
      ? await import("../../../examples/genesis.txt?url")
      : await import("../../../examples/proverbs.txt?url");
  const answer = await fetch(new URL(address, self.location.href));
  if (!answer.ok) throw new Error(`The text that comes with this page could not be had: ${answer.status}.`);
  return answer.text();
}
