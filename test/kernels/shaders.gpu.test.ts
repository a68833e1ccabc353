import { expect, test } from "vitest";
import { specialise } from "../../src/kernels/specialise";

const shaders = import.meta.glob<string>("../../shaders/*.wgsl", { query: "?raw", import: "default", eager: true });

test.each(Object.entries(shaders))("%s compiles as it is stored", async (_name, source) => {
  const adapter = await navigator.gpu.requestAdapter();
  const enabled = /^enable subgroups;$/m.test(source);
  const device = await adapter?.requestDevice({ requiredFeatures: enabled ? ["subgroups"] : [] });
  const info = await device?.createShaderModule({ code: source }).getCompilationInfo();
  device?.destroy();
  expect(
    info?.messages.filter(({ type }) => type === "error").map(({ lineNum, message }) => `${lineNum}: ${message}`),
  ).toEqual([]);
});

test("a name that a shader does not mark is refused", () => {
  const source = "const SIZE = 4u; // spec\nconst OTHER = 1u;\n";
  expect(specialise(source, { constants: { SIZE: 8 } })).toContain("const SIZE = 8u;");
  expect(() => specialise(source, { constants: { OTHER: 8 } })).toThrow(/no constant "OTHER"/);
  expect(() => specialise(source, { blocks: { body: "" } })).toThrow(/no block "body"/);
});
