import type { Tensor } from "../graph/tensor";
import type { ScanPlan } from "../plan/group";
import { type ModuleFunction, unsigned } from "./encoder";
import { type Buffer, sizeBytesOf } from "./layout";
import { CALL, I32_ADD, I32_MUL, MEMORY_COPY, MEMORY_FILL } from "./opcodes";
import { FunctionBody, type Scope } from "./scope";

/** A scan's steps, one after another: what a step reads comes to its place, its kernels run, and what they leave goes where it belongs. */
export function stepLoop(
  { node: { body, parts }, operands, items, results }: ScanPlan,
  name: string,
  /** Memory around the scan, and of a step. */
  outer: (tensor: Tensor) => Buffer,
  inner: (tensor: Tensor) => Buffer,
  /** The step's kernels. */
  functions: readonly number[],
): ModuleFunction {
  const { length, reverse, carries, xs, nextCarries, ys } = body;
  const f = new FunctionBody(0, false);
  const itemAt = (index: number) => items.find(({ attributes }) => attributes.index === index);
  const copy = (scope: Scope, to: () => void, from: () => void, bytes: number) => {
    to();
    from();
    scope.i32(bytes).bytes.push(...MEMORY_COPY);
  };
  const whole = (scope: Scope, to: Buffer, from: Buffer) =>
    copy(
      scope,
      () => scope.i32(to.address),
      () => scope.i32(from.address),
      sizeBytesOf(to),
    );
  carries.forEach((leaf, i) => {
    const [to, first] = [inner(leaf), operands[i]];
    if (first) whole(f.root, to, outer(first));
    else
      f.root
        .i32(to.address)
        .i32(0)
        .i32(sizeBytesOf(to))
        .bytes.push(...MEMORY_FILL);
  });
  f.root.loop(0, length, 1, (scope, { local }) => {
    /** The address of this step's part of what has one for each. */
    const part = ({ address }: Buffer, bytes: number) => {
      scope
        .i32(address + (reverse ? (length - 1) * bytes : 0))
        .get(local)
        .i32(reverse ? -bytes : bytes);
      scope.put(I32_MUL).put(I32_ADD);
    };
    const keep = (index: number, from: Buffer) => {
      const item = itemAt(index);
      if (item === undefined) return;
      copy(
        scope,
        () => part(outer(item), sizeBytesOf(from)),
        () => scope.i32(from.address),
        sizeBytesOf(from),
      );
    };
    xs.forEach((leaf, i) => {
      const to = inner(leaf);
      copy(
        scope,
        () => scope.i32(to.address),
        () => part(outer(operands[carries.length + i] as Tensor), sizeBytesOf(to)),
        sizeBytesOf(to),
      );
    });
    carries.forEach((leaf, i) => {
      keep(carries.length + ys.length + i, inner(leaf));
    });
    for (const index of functions) scope.put(CALL, ...unsigned(index));
    ys.forEach((_, i) => {
      const node = results[carries.length + i];
      if (node) keep(carries.length + i, inner(node));
    });
    nextCarries.forEach((_, i) => {
      whole(scope, inner(carries[i] as Tensor), inner(results[i] as Tensor));
    });
  });
  items.forEach((item) => {
    const { index = 0 } = item.attributes;
    if (parts[index]?.each === null) whole(f.root, outer(item), inner(carries[index] as Tensor));
  });
  return { parameters: 0, locals: f.locals, bytes: f.root.bytes, name };
}
