import type { Program } from "../../src/index";
import { Session } from "../../src/session";
import { WasmRunner } from "../../src/wasm/runner";

/** A session of `program` on WebAssembly, with what runs it. */
export async function compiled(program: Program): Promise<{ session: Session; runner: WasmRunner }> {
  const runner = await WasmRunner.create({ ...program, updates: { ...program.updates } });
  if (runner === null) throw new Error("this machine has no SIMD in WebAssembly");
  return { session: new Session(program, runner, { throwIfGone() {}, disposed() {} }), runner };
}
