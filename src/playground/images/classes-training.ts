import {
  adam,
  dense,
  FormatError,
  type History,
  type Model,
  safetensorsMetadata,
  sequential,
  softmaxCrossEntropy,
  type Trainer,
  trainer,
} from "../../index";
import { factsOf } from "../training/device";
import { score } from "../training/score";
import { Training } from "../training/training";
import { backbone, backboneFile, FROZEN, PICTURE, PICTURE_SIZE } from "./backbone";
import {
  type Begun,
  type Checked,
  FEWEST_CLASSES,
  FEWEST_PICTURES,
  type Learning,
  type Learnt,
  type PictureClass,
} from "./messages";

const EPOCHS = 40;
const BATCH = 16;
/** Of each class with this many pictures or more, one in so many is held back to see how good the network is. */
const HELD_ONE_IN = 5;

interface Rows {
  x: Float32Array;
  y: Int32Array;
}

/** A last layer for a visitor's own classes, on convolutions that stay as they are: what those make of a picture is computed once. */
export class ClassesTraining extends Training<Begun | Learning | Learnt> {
  private net: Trainer | null = null;
  private names: string[] = [];
  private rows: { training: Rows; heldBack: Rows } | null = null;
  /** What a network is made from again where its device goes away before anything was trained on it. */
  private file: Uint8Array | null = null;
  /** The backbone's file, once it has come. */
  private eyes: Uint8Array | null = null;

  /** Opens the device, and says which it is. */
  override ready(backend: "auto"): void {
    void this.after(async () => this.tell({ kind: "begun", device: factsOf(await this.open(backend)) })).catch(
      () => {},
    );
  }

  /** Learns these classes anew. Throws RangeError for too few of them, or of their pictures, before anything changes. */
  async learn(classes: readonly PictureClass[]): Promise<void> {
    checkClasses(classes);
    this.training = false;
    await this.after(async () => {
      this.eyes ??= await backboneFile();
      await this.take(
        classes.map(({ name }) => name),
        this.eyes,
        false,
      );
      this.rows = parted(classes);
      this.file = null;
    });
    void this.train();
  }

  /** The shares of the classes, in their order, for a picture [3, 64, 64] of bytes. */
  predict(picture: Uint8Array): Promise<Float32Array> {
    return this.after(async () => {
      const net = this.known();
      const shares = await net.predict(scaled([picture]));
      this.moved(net.device, net.steps);
      return shares;
    });
  }

  /** The whole network for PyTorch, with the classes' names in it. */
  save(): Promise<Uint8Array> {
    return this.after(() => this.saved());
  }

  /** The same as a file that takes [rows, 3, 64, 64] from 0 to 1 and gives probabilities. */
  onnx(): Promise<Uint8Array> {
    return this.after(async () => {
      const net = this.known();
      const { writeOnnx } = await import("../../files/onnx");
      return writeOnnx(networkOf(this.names.length), await net.weights(), { probabilities: "softmax" });
    });
  }

  /** Takes up a network that was saved here: the names of its classes. Throws FormatError or ShapeError, and then all stays as it was. */
  load(file: Uint8Array): Promise<string[]> {
    this.training = false;
    return this.after(() => this.loaded(file));
  }

  protected async advance(): Promise<void> {
    await this.guarded(async () => {
      const { rows } = this;
      const net = this.known();
      if (rows === null) return this.finish();
      const began = performance.now();
      const history: History = await net.fit(rows.training, {
        epochs: EPOCHS,
        recover: true,
        onEpoch: ({ epoch, loss }) => {
          this.tell({ kind: "learning", epoch, epochs: EPOCHS, loss });
          return this.training ? undefined : "stop";
        },
      });
      this.moved(net.device, history.recovered?.at(-1)?.step ?? net.steps);
      const seconds = (performance.now() - began) / 1000;
      const checked = await this.check(net, rows.heldBack);
      this.tell({
        kind: "learnt",
        device: factsOf(net.device),
        names: this.names,
        pictures: rows.training.y.length,
        seconds,
        checked,
        file: await this.saved(),
      });
      this.finish();
    });
  }

  protected release(): void {
    this.net?.dispose();
    this.net = null;
  }

  /** A trainer that has trained finds another device at its next call; one that was only loaded is loaded again. */
  protected outlive(): void {
    if (this.net?.steps) return;
    this.opened = null;
    const { file } = this;
    if (file) void this.after(() => this.loaded(file)).catch(() => {});
  }

  private known(): Trainer {
    if (!this.net) throw new Error("No classes are learnt yet.");
    return this.net;
  }

  /** A network for these classes with the weights of `file`, in the place of the one that was there. Throws, and then that stays. */
  private async take(names: string[], file: Uint8Array, strict: boolean): Promise<void> {
    const net = await trainer(await this.open("auto"), networkOf(names.length), {
      loss: softmaxCrossEntropy(),
      optimizer: adam({ lr: 0.01 }),
      batchSize: BATCH,
      frozen: FROZEN,
    });
    try {
      net.load(file, { strict });
    } catch (error) {
      net.dispose();
      throw error;
    }
    this.release();
    this.net = net;
    this.names = names;
  }

  private async loaded(file: Uint8Array): Promise<string[]> {
    const names = namesIn(file);
    await this.take(names, file, true);
    this.rows = null;
    this.file = file;
    return names;
  }

  private saved(): Promise<Uint8Array> {
    return this.known().save({ metadata: { classes: JSON.stringify(this.names) } });
  }

  private async check(net: Trainer, { x, y }: Rows): Promise<Checked | null> {
    if (y.length === 0) return null;
    const { said, share } = score("softmaxCrossEntropy", await net.predict(x), y, false);
    return { actual: y, said, share };
  }
}

export function networkOf(classes: number): Model {
  return sequential([...PICTURE], [...backbone(), dense(classes, { l2: 0.001 })]);
}

function checkClasses(classes: readonly PictureClass[]): void {
  if (classes.length < FEWEST_CLASSES)
    throw new RangeError(
      `There is ${classes.length === 0 ? "no class" : "one class"} yet: to tell things apart, the network needs two or more.`,
    );
  const few = classes.filter(({ pictures }) => pictures.length < FEWEST_PICTURES);
  if (few.length > 0)
    throw new RangeError(
      `${few.map(({ name, pictures }) => `“${name}” has ${pictures.length}`).join(", ")}: each class needs ${FEWEST_PICTURES} pictures or more.`,
    );
}

function namesIn(file: Uint8Array): string[] {
  const text = safetensorsMetadata(file).classes;
  const names: unknown = text === undefined ? null : JSON.parse(text);
  if (!Array.isArray(names) || names.length < FEWEST_CLASSES || !names.every((name) => typeof name === "string"))
    throw new FormatError("The file names no classes: it must be one that was saved on this page.");
  return names;
}

/** Every fifth picture of a class is held back, where there are so many. */
function parted(classes: readonly PictureClass[]): { training: Rows; heldBack: Rows } {
  const rows = classes.flatMap(({ pictures }, k) =>
    pictures.map((picture, i) => ({
      k,
      picture,
      held: pictures.length >= HELD_ONE_IN && i % HELD_ONE_IN === HELD_ONE_IN - 1,
    })),
  );
  const take = (held: boolean): Rows => {
    const taken = rows.filter((row) => row.held === held);
    return { x: scaled(taken.map(({ picture }) => picture)), y: Int32Array.from(taken, ({ k }) => k) };
  };
  return { training: take(false), heldBack: take(true) };
}

/** Bytes to numbers from 0 to 1. */
function scaled(pictures: readonly Uint8Array[]): Float32Array {
  const x = new Float32Array(pictures.length * PICTURE_SIZE);
  pictures.forEach((picture, row) => {
    for (let i = 0; i < PICTURE_SIZE; i++) x[row * PICTURE_SIZE + i] = (picture[i] as number) / 255;
  });
  return x;
}
