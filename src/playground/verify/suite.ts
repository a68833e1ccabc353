import { type Device, type DeviceInfo, open, type ParityReport, reference } from "../../index";
import { CASES } from "./cases";
import { type Environment, environment } from "./environment";
import { opened } from "./seeds";
import { type Started, startedSeeds } from "./starts";

export interface Checked {
  /** The operation, or the seed. */
  group: string;
  name: string;
  /** Where the error is the largest part of its bound. */
  error: number;
  bound: number;
  ok: boolean;
  /** Elements without a bound, and decisions that rounding may turn: they are not judged. */
  unbounded: number;
  undecided: number;
  /** What went wrong other than a number. */
  failure: string;
}

export interface Opened {
  backend: "webgpu" | "cpu";
  info: DeviceInfo;
  /** Why it is not WebGPU, where that was asked for. */
  reason: string;
  checks: number;
  environment: Environment;
}

/** Every n-th case of an operation is a sample of them, and one step of each seed. */
const SAMPLE = 64;

/** The library's parity suite on one device: each operation's cases and the five seeds, held to float64. */
export class Suite {
  private device: Device | null = null;
  private stopped = false;
  private whole = true;

  /** `gpu` is where WebGPU is looked for; left out, `navigator.gpu`. */
  async open(backend: "webgpu" | "cpu", whole: boolean, gpu?: GPU): Promise<Opened> {
    this.whole = whole;
    this.stopped = false;
    let reason = "";
    this.device?.close();
    try {
      this.device = await open({ backend, ...(gpu && { gpu }) });
    } catch (error) {
      reason = messageOf(error);
      this.device = await open({ backend: "cpu" });
    }
    const { info } = this.device;
    const checks = this.cases().length + seedChecks(whole).length;
    return { backend: this.device.backend, info, reason, checks, environment: await environment() };
  }

  stop(): void {
    this.stopped = true;
  }

  close(): void {
    this.device?.close();
    this.device = null;
  }

  /** When it resolves, all that it has found has been told. */
  async run(tell: Tell): Promise<void> {
    const { device } = this;
    if (!device) throw new Error("internal: there is no device to verify");
    for (const { op, name, program, parameters, inputs } of this.cases()) {
      if (this.stopped) return;
      await checked(op, name, tell, async () => {
        const session = await device.compile(program);
        try {
          session.write(parameters);
          return worstOf(await session.verify(inputs));
        } finally {
          session.dispose();
        }
      });
    }
    for (const { started, name, check } of seedChecks(this.whole)) {
      if (this.stopped) return;
      await checked(started.id, `${started.title}: ${name}`, tell, () => check(device));
    }
  }

  private cases(): typeof CASES {
    if (this.whole) return CASES;
    const seen = new Map<string, number>();
    return CASES.filter(({ op }) => {
      const count = seen.get(op) ?? 0;
      seen.set(op, count + 1);
      return count % SAMPLE === 0;
    });
  }
}

/** To another thread it is a message, which is waited for. */
type Tell = (checked: Checked) => void | Promise<void>;

type Worst = Omit<Checked, "group" | "name" | "failure">;

async function checked(group: string, name: string, tell: Tell, check: () => Promise<Worst>): Promise<void> {
  let found: Checked;
  try {
    found = { group, name, failure: "", ...(await check()) };
  } catch (error) {
    found = { group, name, error: Number.NaN, bound: Number.NaN, ok: false, ...JUDGED, failure: messageOf(error) };
  }
  await tell(found);
}

/** Where all is judged. */
const JUDGED = { unbounded: 0, undecided: 0 };

function worstOf({ rows, ok }: ParityReport): Worst {
  const share = ({ maxError, bound }: ParityReport["rows"][number]) => (maxError === 0 ? 0 : maxError / bound);
  const worst = rows.reduce((a, b) => (share(b) > share(a) ? b : a));
  const count = (key: "unbounded" | "undecided") => rows.reduce((sum, row) => sum + row[key], 0);
  return {
    error: worst.maxError,
    bound: worst.bound,
    ok,
    unbounded: count("unbounded"),
    undecided: count("undecided"),
  };
}

interface SeedCheck {
  started: Started;
  name: string;
  check(device: Device): Promise<Worst>;
}

function seedChecks(whole: boolean): SeedCheck[] {
  return startedSeeds().flatMap((started) => {
    const steps = (whole ? [0, 10, 50] : [0]).map(
      (at): SeedCheck => ({
        started,
        name: at === 0 ? "the first step, every value" : `the step after ${at} more`,
        check: (device) => oneStep(device, started, at),
      }),
    );
    const losses: SeedCheck = {
      started,
      name: `losses of ${started.steps} steps, relative`,
      check: (device) => trajectory(device, started),
    };
    return whole && started.steps > 0 ? [...steps, losses] : steps;
  });
}

/** One step against float64 from the state that the device has reached after `at` steps. */
async function oneStep(device: Device, { seed, inputs, parameters }: Started, at: number): Promise<Worst> {
  const session = await device.compile(at === 0 ? opened(seed) : seed.program);
  try {
    session.write(parameters);
    if (at > 0) await session.run(inputs, { steps: at });
    return worstOf(await session.verify(inputs));
  } finally {
    session.dispose();
  }
}

async function trajectory(device: Device, { seed, inputs, parameters, steps, lossBound }: Started): Promise<Worst> {
  const judge = reference(seed.program);
  judge.write(parameters);
  const expected = judge.run(inputs, { steps }).loss;
  const session = await device.compile(seed.program);
  try {
    session.write(parameters);
    const { loss } = await session.run(inputs, { steps });
    let error = 0;
    expected?.forEach((value, i) => {
      error = Math.max(error, Math.abs((loss?.[i] ?? Number.NaN) / value - 1));
    });
    return { error, bound: lossBound, ok: error <= lossBound, ...JUDGED };
  } finally {
    session.dispose();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
