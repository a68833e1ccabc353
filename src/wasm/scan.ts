import type { Tensor } from "../graph/tensor";
import type { Steps } from "../plan/nest-steps";
import { type ModuleFunction, unsigned } from "./encoder";
import { type Buffer, sizeBytesOf } from "./layout";
import { CALL, I32_ADD, I32_MUL, MEMORY_COPY, MEMORY_FILL } from "./opcodes";
import { FunctionBody, type Scope } from "./scope";

/** A scan's steps, one after another: what a step reads comes to its place, its kernels run, and what they leave goes where it belongs. */
export function stepLoop(
  { length, reverse, lent, begin, kept, next, end }: Steps,
  name: string,
  /** Memory around the scan, and of a step. */
  outer: (tensor: Tensor) => Buffer,
  inner: (tensor: Tensor) => Buffer,
  /** The step's kernels. */
  functions: readonly number[],
): ModuleFunction {
  const f = new FunctionBody(0, false);
  const copy = (scope: Scope, to: () => void, from: () => void, bytes: number) => {
    to();
    from();
    scope.i32(bytes).bytes.push(...MEMORY_COPY);
  };
  const at =
    (scope: Scope, { address }: Buffer) =>
    () =>
      scope.i32(address);
  const whole = (scope: Scope, to: Buffer, from: Buffer) =>
    copy(scope, at(scope, to), at(scope, from), sizeBytesOf(to));
  for (const { to, from } of begin) {
    if (from) whole(f.root, inner(to), outer(from));
    else
      f.root
        .i32(inner(to).address)
        .i32(0)
        .i32(sizeBytesOf(inner(to)))
        .bytes.push(...MEMORY_FILL);
  }
  f.root.loop(0, length, 1, (scope, { local }) => {
    /** The address of this step's part of what has one for each. */
    const part =
      ({ address }: Buffer, bytes: number) =>
      () => {
        scope
          .i32(address + (reverse ? (length - 1) * bytes : 0))
          .get(local)
          .i32(reverse ? -bytes : bytes);
        scope.put(I32_MUL).put(I32_ADD);
      };
    const keep = (beforehand: boolean) => {
      for (const { to, from, before } of kept) {
        const bytes = sizeBytesOf(inner(from));
        if (before === beforehand) copy(scope, part(outer(to), bytes), at(scope, inner(from)), bytes);
      }
    };
    for (const { value, around, each } of lent) {
      const bytes = sizeBytesOf(inner(value));
      if (each) copy(scope, at(scope, inner(value)), part(outer(around), bytes), bytes);
    }
    keep(true);
    for (const index of functions) scope.put(CALL, ...unsigned(index));
    keep(false);
    for (const { to, from } of next) whole(scope, inner(to), inner(from));
  });
  for (const { to, from } of end) whole(f.root, outer(to), inner(from));
  return { parameters: 0, locals: f.locals, bytes: f.root.bytes, name };
}
