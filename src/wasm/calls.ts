import { type ModuleFunction, unsigned } from "./encoder";
import { type Buffer, sizeBytesOf } from "./layout";
import { BR_IF, CALL, END, GLOBAL_GET, GLOBAL_SET, I32_ADD, I32_SUB, LOOP, MEMORY_COPY, TEE, VOID } from "./opcodes";
import { FunctionBody } from "./scope";

/** Buffers copied one after another. */
export function copying(copies: readonly { from: Buffer; to: Buffer }[], name: string): ModuleFunction {
  const { root } = new FunctionBody(0, false);
  for (const { from, to } of copies) {
    root.i32(to.address).i32(from.address);
    root.i32(sizeBytesOf(from)).bytes.push(...MEMORY_COPY);
  }
  return { parameters: 0, locals: [], bytes: root.bytes, name };
}

/** step(n): n times the `kernels` functions from the first on in turn, each time with the next record. */
export function stepping(first: number, kernels: number, history: number, recordBytes: number): ModuleFunction {
  const { root } = new FunctionBody(1, false);
  root.i32(history).put(GLOBAL_SET, 0).put(LOOP, VOID);
  for (let i = 0; i < kernels; i++) root.put(CALL, ...unsigned(first + i));
  root.put(GLOBAL_GET, 0).i32(recordBytes).put(I32_ADD).put(GLOBAL_SET, 0);
  root.get(0).i32(1).put(I32_SUB).put(TEE, 0).put(BR_IF, 0).put(END);
  return { parameters: 1, locals: [], bytes: root.bytes, name: "step" };
}
