import { I32, type ModuleFunction, unsigned } from "./encoder";
import { type Grain, partsOf } from "./grain";
import type { Buffer } from "./layout";
import * as O from "./opcodes";
import { FunctionBody, type Part, type Scope, type Value } from "./scope";

/** Takes a function that others call, and gives its index. */
export type Called = (named: (name: string) => ModuleFunction) => number;

/** Globals of an instance that shares its memory with others: which thread it is, and how many there are. */
const [THREAD, THREADS] = [1, 2];

/** Words by which threads wait for one another, in bytes; what is written often has a cache line of its own. */
const [NEXT, ARRIVED, SLEEPERS, LOST] = [0, 64, 132, 136];
export const GENERATION = 128;
export const CONTROL_BYTES = 192;

/**
 * Functions that a module of several threads imports: sleep(generation), until that is not the generation any more, and wake(), all that
 * sleep. JavaScript's, since Node 20's WebAssembly forgets how long it was to sleep in code that it has compiled in haste.
 */
export const IMPORTS = ["sleep", "wake"];
const [SLEEP, WAKE] = [0, 1];

/** Looks at a word before a thread goes to sleep: some 20 µs, so that a barrier between threads at work costs less than 1. */
const SPINS = 20_000;

/** What is the same for all kernels of a program that runs on several threads. */
export class Team {
  private barrierIndex: number | null = null;
  /** Whether the first thread has done something by itself since all were at the same place. */
  private apart = true;

  constructor(
    readonly threads: number,
    readonly grain: Grain,
    private readonly control: Buffer,
    private readonly called: Called,
  ) {}

  /** A function of what the first thread does while the others go on, to where they wait for it. */
  alone(name: string, index: number): ModuleFunction {
    const f = new FunctionBody(0, false);
    this.solo(f.root, index);
    return functionOf(f, name);
  }

  /** The first thread's work. */
  solo(scope: Scope, index: number): void {
    scope.put(O.GLOBAL_GET, THREAD).put(O.I32_EQZ).put(O.IF, O.VOID);
    scope.put(O.CALL, ...unsigned(index)).put(O.END);
    this.apart = true;
  }

  /** Work in units, `each` of them at a time, by whichever thread comes for them; then all wait for all. */
  together(f: FunctionBody, index: number, units: number, each: number): void {
    const { root } = f;
    const [from, to] = [f.local(I32), f.local(I32)];
    const barrier = () => root.put(O.CALL, ...unsigned(this.barrier()));
    if (this.apart) barrier();
    root.put(O.BLOCK, O.VOID).put(O.LOOP, O.VOID);
    new Words(f, this.control.address).add(NEXT, each);
    root
      .put(O.TEE, ...unsigned(from))
      .i32(units)
      .put(O.I32_GE_U)
      .put(O.BR_IF, 1);
    root.get(from).i32(each).put(O.I32_ADD).set(to);
    root.within(to, 1, units, O.I32_LT_U, to);
    root
      .get(from)
      .get(to)
      .put(O.CALL, ...unsigned(index))
      .put(O.BR, 0)
      .put(O.END, O.END);
    barrier();
    this.apart = false;
  }

  private barrier(): number {
    this.barrierIndex ??= this.called(() => barrierFunction(this.control.address));
    return this.barrierIndex;
  }

  /** "barrier", and "lose", by which a thread that cannot go on ends the others' waiting. */
  finish(): void {
    this.barrier();
    this.called(() => loseFunction(this.control.address));
  }
}

/**
 * A kernel as pieces, one after another. Where several threads run it, what of a piece is independent is dealt out to them: elements of a
 * result, never the terms of a sum, so that bits are those of one thread. There each piece is a function of its own; else all are one.
 */
export class Pieces {
  private readonly made: { f: FunctionBody; units: number; each: number }[] = [];
  private body: FunctionBody;

  constructor(
    readonly relaxed: boolean,
    private readonly team: Team | null,
  ) {
    this.body = new FunctionBody(0, relaxed);
  }

  /** The function under way. */
  get f(): FunctionBody {
    return this.body;
  }

  /**
   * A piece of `units` independent units that takes about `ns` nanoseconds in all; `most`: units that one call may do. `write` is told which
   * units its function does, null for all.
   */
  piece(units: number, ns: number, write: (part: Part | null) => void, most = units): void {
    if (this.team === null) {
      write(null);
      return;
    }
    const parts = partsOf(this.team.grain, this.team.threads, ns, units, most);
    this.body = new FunctionBody(parts > 1 ? 2 : 0, this.relaxed);
    this.made.push({ f: this.body, units, each: parts > 1 ? Math.min(Math.ceil(units / parts), most) : units });
    write(parts > 1 ? { from: 0, to: 1 } : null);
  }

  /** Whether anything is dealt out at all. */
  get dealt(): boolean {
    return this.team !== null;
  }

  /** Bytes to this thread's own part of memory that has `bytes` for each; null where the first thread works alone. */
  own(bytes: number): Value | null {
    if (this.body.parameters === 0) return null;
    return this.body.int(O.I32_MUL, this.body.make(I32, O.GLOBAL_GET, [], [THREAD], true), this.body.i32(bytes));
  }

  /** Threads that find something to do. */
  get threads(): number {
    const busy = this.made.map(({ units, each }) => Math.min(this.team?.threads ?? 1, Math.ceil(units / each)));
    return Math.max(1, ...busy);
  }

  /** The kernel's function. */
  done(name: string, called: Called): ModuleFunction {
    const { team } = this;
    if (team === null) return functionOf(this.body, name);
    const f = new FunctionBody(0, this.relaxed);
    for (const { f: piece, units, each } of this.made) {
      const index = called((name) => functionOf(piece, name));
      if (piece.parameters === 0) team.solo(f.root, index);
      else team.together(f, index, units, each);
    }
    return functionOf(f, name);
  }
}

function functionOf({ parameters, locals, root }: FunctionBody, name: string): ModuleFunction {
  return { parameters, locals, bytes: root.bytes, name };
}

/** Instructions on the words that threads share, in a function of its own. */
class Words {
  constructor(
    private readonly f: FunctionBody,
    private readonly control: number,
  ) {}

  at(offset: number): Scope {
    return this.f.root.i32(this.control + offset);
  }
  load(offset: number): Scope {
    return this.at(offset).put(O.ATOMIC_LOAD, 2, 0);
  }
  store(offset: number, value: number): Scope {
    return this.at(offset).i32(value).put(O.ATOMIC_STORE, 2, 0);
  }
  /** Leaves what was there before. */
  add(offset: number, value: number): Scope {
    return this.at(offset).i32(value).put(O.ATOMIC_ADD, 2, 0);
  }
  /** Begins a new generation, and wakes all. */
  begin(): void {
    this.add(GENERATION, 1).put(O.DROP);
    this.f.root.put(O.CALL, WAKE);
  }
  lose(): void {
    this.store(LOST, 1);
    this.begin();
  }
}

/**
 * Waits until all threads are here; then what any of them wrote before, all see. The last to come begins a new generation; the others look
 * for that a while, and then sleep. Instructions on shared words are in one order for all threads, so that who goes to sleep has either
 * been counted by the one who wakes, or sees the new generation and stays awake. Traps where a thread is lost.
 */
function barrierFunction(control: number): ModuleFunction {
  const f = new FunctionBody(0, false);
  const { root } = f;
  const words = new Words(f, control);
  const [generation, spins] = [f.local(I32), f.local(I32)];
  const isNew = () => words.load(GENERATION).get(generation).put(O.I32_NE);
  words.load(GENERATION).set(generation);
  words.add(ARRIVED, 1).i32(1).put(O.I32_ADD).put(O.GLOBAL_GET, THREADS).put(O.I32_EQ).put(O.IF, O.VOID);
  words.store(ARRIVED, 0);
  words.store(NEXT, 0);
  words.add(GENERATION, 1).put(O.DROP);
  words.load(SLEEPERS).put(O.IF, O.VOID);
  root.put(O.CALL, WAKE, O.END);
  root.put(O.ELSE).i32(SPINS).set(spins).put(O.BLOCK, O.VOID).put(O.LOOP, O.VOID);
  isNew().put(O.BR_IF, 1);
  root
    .get(spins)
    .i32(1)
    .put(O.I32_SUB)
    .put(O.TEE, ...unsigned(spins))
    .put(O.BR_IF, 0)
    .put(O.END);
  words.add(SLEEPERS, 1).put(O.DROP, O.LOOP, O.VOID);
  isNew().put(O.I32_EQZ).put(O.IF, O.VOID).get(generation).put(O.CALL, SLEEP, O.BR, 1, O.END, O.END);
  words.add(SLEEPERS, -1).put(O.DROP, O.END, O.END);
  words.load(LOST).put(O.IF, O.VOID).put(O.UNREACHABLE, O.END);
  return functionOf(f, "barrier");
}

function loseFunction(control: number): ModuleFunction {
  const f = new FunctionBody(0, false);
  new Words(f, control).lose();
  return functionOf(f, "lose");
}
