import { describe, expect, test } from "vitest";
import { Bytes, encodeModule, I32, instruction, signed, simd, unsigned, V128 } from "../../src/wasm/encoder";
import { D_ADD, DROP, F_MADD, V_CONST } from "../../src/wasm/opcodes";
import { FunctionBody } from "../../src/wasm/scope";

/** A module with one function that leaves a number in the global; gives back what it says of itself. */
function withConstant(value: number): number {
  const { root } = new FunctionBody(0, false);
  root.i32(0).i32(value).memory(0x36, 0);
  const bytes = encodeModule(4, 0, [{ parameters: 0, locals: [], bytes: root.bytes, name: "f" }]);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  (exports.f as () => void)();
  return new Int32Array((exports.memory as WebAssembly.Memory).buffer)[0] as number;
}

describe("numbers in a module", () => {
  test("unsigned ones in seven bits a byte, the lowest first", () => {
    expect([0, 1, 127, 128, 624485, 2 ** 32 - 1].map(unsigned)).toEqual([
      [0],
      [1],
      [0x7f],
      [0x80, 1],
      [0xe5, 0x8e, 0x26],
      [0xff, 0xff, 0xff, 0xff, 0x0f],
    ]);
  });

  test("signed ones come back as they were", () => {
    const edges = [0, 1, -1, 63, 64, -64, -65, 8191, 8192, -8192, -8193, 2 ** 31 - 1, -(2 ** 31)];
    for (const value of edges) expect(withConstant(value)).toBe(value);
    expect(signed(-123456)).toEqual([0xc0, 0xbb, 0x78]);
    // An address beyond 2³¹ is the same 32 bits.
    expect(signed(2 ** 32 - 1)).toEqual(signed(-1));
  });

  test("an instruction is a byte, or a prefix and a number", () => {
    expect(instruction(0x6a)).toEqual([0x6a]);
    expect(instruction(V_CONST)).toEqual([0xfd, 12]);
    expect(instruction(D_ADD)).toEqual([0xfd, 0xf0, 1]);
    expect(instruction(F_MADD)).toEqual([0xfd, 0x85, 2]);
    expect(instruction(simd(0x5a))).toEqual([0xfd, 0x5a]);
  });
});

describe("a module", () => {
  test("is valid with no function, with many locals of both types, with memory of many pages", () => {
    expect(WebAssembly.validate(encodeModule(1, 0, []))).toBe(true);
    const f = new FunctionBody(1, false);
    for (let i = 0; i < 300; i++) f.local(i % 3 === 0 ? I32 : V128);
    f.root.put(V_CONST, ...new Array<number>(16).fill(1)).put(DROP);
    const made = { parameters: 1, locals: f.locals, bytes: f.root.bytes, name: "f" };
    expect(WebAssembly.validate(encodeModule(10 * 65536 + 1, 64, [made, { ...made, name: "g" }]))).toBe(true);
    const broken = encodeModule(1, 0, [{ ...made, bytes: new Bytes().join(made.bytes).push(0x6a) }]);
    expect(WebAssembly.validate(broken)).toBe(false);
  });

  test("has the pages that its bytes need", () => {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(encodeModule(65537, 0, [])));
    expect((exports.memory as WebAssembly.Memory).buffer.byteLength).toBe(2 * 65536);
  });
});

describe("values", () => {
  test("equal instructions on equal operands are one, in the scope of the innermost operand", () => {
    const f = new FunctionBody(0, false);
    f.root.loop(0, 64, 4, (scope, counter) => {
      const outside = f.int(0x6a, f.i32(1), f.i32(2));
      expect(f.int(0x6a, f.i32(1), f.i32(2))).toBe(outside);
      expect(outside.scope).toBe(f.root);
      expect(f.int(0x6a, counter, outside).scope).toBe(scope);
    });
    const made = { parameters: 0, locals: f.locals, bytes: f.root.bytes, name: "f" };
    expect(WebAssembly.validate(encodeModule(1, 0, [made]))).toBe(true);
  });
});
