import type { Program } from "../../src/index";
import { Session } from "../../src/session";
import { type ThreadsHere, WasmRunner } from "../../src/wasm/runner";

/** A session of `program` on WebAssembly, with what runs it. */
export async function compiled(
  program: Program,
  here?: ThreadsHere,
): Promise<{ session: Session; runner: WasmRunner }> {
  const runner = await WasmRunner.create({ ...program, updates: { ...program.updates } }, undefined, here);
  return { session: new Session(program, runner, { throwIfGone() {}, disposed() {} }), runner };
}
