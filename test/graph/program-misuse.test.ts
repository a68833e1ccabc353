import { describe, expect, test } from "vitest";
import { input, type Program, parameter, reference, ShapeError } from "../../src/index";
import { holds, wrong } from "./refusals";

const x = input([2, 3]);

describe("a program that cannot run", () => {
  const w = parameter([3]);
  const y = x.mul(w);
  const compile = (change: Partial<Record<keyof Program, unknown>>) => () =>
    reference({ inputs: { x }, parameters: { w }, outputs: { y }, ...change } as Program);
  holds([
    [
      "a part that is missing",
      compile({ inputs: undefined }),
      TypeError,
      "compile: inputs must be an object of tensors by name",
    ],
    [
      "an input without its name",
      compile({ inputs: x }),
      TypeError,
      "compile: inputs must be an object of tensors by name, not a Tensor",
    ],
    [
      "a list of outputs",
      compile({ outputs: [y] }),
      TypeError,
      "compile: outputs must be an object of tensors by name, not an array of 1",
    ],
    [
      "a name that sets a prototype",
      compile({ parameters: { __proto__: w } }),
      TypeError,
      "compile: parameters must be an object of tensors by name, not a Tensor",
    ],
    [
      "no program",
      () => reference(wrong(undefined) as never),
      TypeError,
      "compile: the program is undefined; it must be an object {inputs, parameters, outputs, updates}",
    ],
    [
      "a program that is not awaited",
      () => reference(wrong(Promise.resolve()) as never),
      TypeError,
      "compile: the program is a Promise that is not awaited; it must be an object {inputs, parameters, outputs, updates}",
    ],
    ["an output that is no tensor", compile({ outputs: { y: 3 } }), TypeError, "compile: outputs.y is 3, not a Tensor"],
    [
      "a parameter among the inputs",
      compile({ inputs: { x, w } }),
      TypeError,
      "compile: inputs.w was made by parameter(), it must be made by input()",
    ],
    [
      "a result among the parameters",
      compile({ parameters: { w: y } }),
      TypeError,
      "compile: parameters.w was made by mul(), it must be made by parameter()",
    ],
    [
      "two names for one tensor",
      compile({ inputs: { x, z: x } }),
      TypeError,
      'compile: one tensor has two names, "x" and "z"; a leaf has one',
    ],
    [
      "one name for an input and a parameter",
      compile({ inputs: { x, w: input([3]) } }),
      TypeError,
      'compile: "w" names an input and a parameter; names must differ',
    ],
    [
      "one name for a parameter and an output",
      compile({ outputs: { w: y } }),
      TypeError,
      'compile: "w" names a parameter and an output; read("w") could not tell them apart, rename the output',
    ],
    [
      "nothing to compute",
      compile({ outputs: {} }),
      TypeError,
      "compile: the program has no outputs and no updates, so it computes nothing",
    ],
    [
      "an update of nothing",
      compile({ updates: { v: w } }),
      TypeError,
      "compile: updates.v has no parameter of that name; parameters are w",
    ],
    [
      "an update named as what every object has",
      compile({ updates: { toString: w } }),
      TypeError,
      "compile: updates.toString has no parameter of that name; parameters are w",
    ],
    [
      "an update of another shape",
      compile({ updates: { w: y } }),
      ShapeError,
      "compile: updates.w is [2, 3], the parameter is [3]; they must be equal",
    ],
    [
      "an update of int32",
      compile({ updates: { w: w.toInt32() } }),
      TypeError,
      "compile: updates.w is int32, parameters are float32",
    ],
    [
      "an input without a name",
      compile({ inputs: {} }),
      TypeError,
      "compile: an input of shape [2, 3] is used but not named in inputs; add it there",
    ],
    [
      "a parameter without a name",
      compile({ parameters: {} }),
      TypeError,
      "compile: a parameter of shape [3] is used but not named in parameters; add it there",
    ],
  ]);
});

describe("values that do not fit", () => {
  const w = parameter([3]);
  const indices = input([2], "int32");
  const session = () =>
    reference({ inputs: { x, indices }, parameters: { w }, outputs: { y: x.mul(w), i: indices.mul(2) } });
  const fits = { x: [1, 2, 3, 4, 5, 6], indices: [0, 1] };
  const run = (change: object) => () => session().run({ ...fits, ...change });
  holds([
    ["an unknown parameter", () => session().write({ v: [1] }), TypeError, 'write: there is no "v"; known names are w'],
    ["an input written", () => session().write({ x: fits.x }), TypeError, 'write: there is no "x"; known names are w'],
    [
      "too few values",
      () => session().write({ w: [1, 2] }),
      ShapeError,
      'write: "w" has 2 values, its shape [3] needs 3',
    ],
    [
      "a value that is not finite",
      () => session().write({ w: [1, Number.NaN, 3] }),
      RangeError,
      'write: "w" has NaN at index 1, which is not finite in float32; clean or scale the data',
    ],
    [
      "a value beyond float32",
      () => session().write({ w: [1, 2, -1e39] }),
      RangeError,
      'write: "w" has -1e+39 at index 2, which is not finite in float32; clean or scale the data',
    ],
    [
      "no object",
      () => session().write(wrong(null) as never),
      TypeError,
      "write: values must be an object of arrays by name",
    ],
    [
      "a missing input",
      () => session().run({ x: fits.x }),
      TypeError,
      'run: "indices" is missing; the program\'s inputs are x, indices',
    ],
    ["an unknown input", run({ z: [1] }), TypeError, 'run: there is no "z"; known names are x, indices'],
    [
      "too many values",
      run({ x: [1, 2, 3, 4, 5, 6, 7] }),
      ShapeError,
      'run: "x" has 7 values, its shape [2, 3] needs 6',
    ],
    [
      "a fraction in int32",
      run({ indices: [0, 0.5] }),
      RangeError,
      'run: "indices" is int32 and has 0.5 at index 1; it must be an integer of 32 bits',
    ],
    [
      "an integer of more than 32 bits",
      run({ indices: [2 ** 31, 0] }),
      RangeError,
      'run: "indices" is int32 and has 2147483648 at index 0; it must be an integer of 32 bits',
    ],
    [
      "text among numbers",
      run({ x: [1, 2, 3, 4, 5, "6"] }),
      TypeError,
      'run: "x" has "6" at index 5, which is not a number',
    ],
    [
      "rows",
      run({
        x: [
          [1, 2, 3],
          [4, 5, 6],
        ],
      }),
      TypeError,
      'run: "x" is an array of arrays; give the numbers row after row, as its flat() does',
    ],
    [
      "a bigint among numbers",
      run({ x: [1, 2, 3, 4, 5, 6n] }),
      TypeError,
      'run: "x" has 6n at index 5, which is not a number',
    ],
    [
      "a boolean among numbers",
      run({ x: [1, 2, 3, 4, 5, true] }),
      TypeError,
      'run: "x" has true at index 5, which is not a number',
    ],
    [
      "values that are not awaited",
      run({ x: Promise.resolve([]) }),
      TypeError,
      'run: "x" must be a Float32Array, Float64Array, Int32Array or an array of numbers, not a Promise that is not awaited',
    ],
    [
      "a list of values",
      () => session().run(wrong([1, 2]) as never),
      TypeError,
      "run: values must be an object of arrays by name, not an array of 2",
    ],
    [
      "a map of values",
      () => session().write(wrong(new Map()) as never),
      TypeError,
      "write: values must be an object of arrays by name, not a Map",
    ],
    [
      "another kind of array",
      run({ x: new Uint8Array(6) }),
      TypeError,
      'run: "x" must be a Float32Array, Float64Array, Int32Array or an array of numbers, not a Uint8Array; Float32Array.from() makes one of it',
    ],
    [
      "no array",
      run({ x: 1 }),
      TypeError,
      'run: "x" must be a Float32Array, Float64Array, Int32Array or an array of numbers, not 1',
    ],
    [
      "no steps",
      () => session().run(fits, { steps: 0 }),
      RangeError,
      "run: steps is 0; it must be an integer of at least 1",
    ],
    [
      "steps as text",
      () => session().run(fits, { steps: wrong("3") }),
      RangeError,
      'run: steps is "3"; it must be an integer of at least 1',
    ],
    [
      "options of null",
      () => session().run(fits, wrong(null) as never),
      TypeError,
      "run: the options are null; they must be an object with steps, every.",
    ],
    [
      "steps for the options",
      () => session().run(fits, wrong(3) as never),
      TypeError,
      "run: the options are 3; they must be an object with steps, every.",
    ],
    [
      "a misspelt option",
      () => session().run(fits, wrong({ step: 3 }) as never),
      TypeError,
      'run: there is no option "step"; the options are steps, every.',
    ],
    [
      "half a step",
      () => session().run(fits, { steps: 1.5 }),
      RangeError,
      "run: steps is 1.5; it must be an integer of at least 1",
    ],
    [
      "a history of every 0",
      () => session().run(fits, { every: 0 }),
      RangeError,
      "run: every is 0; it must be an integer of at least 1",
    ],
    ["an unknown name read", () => session().read("v"), TypeError, 'read: there is no "v"; known names are w, y, i'],
    [
      "an output read before the first run",
      () => session().read("y"),
      TypeError,
      'read: output "y" has no value before the first run',
    ],
    ["an input read", () => session().read("x"), TypeError, 'read: there is no "x"; known names are w, y, i'],
  ]);

  test("change nothing, the names that were right included", () => {
    const v = parameter([2]);
    const both = reference({ inputs: {}, parameters: { w, v }, outputs: {}, updates: { w: w.add(1) } });
    both.write({ w: [1, 2, 3], v: [4, 5] });
    expect(() => both.write({ w: [7, 8, 9], v: [Number.NaN, 0] })).toThrow(RangeError);
    expect(() => both.write({ w: [7, 8, 9], u: [1] })).toThrow(TypeError);
    expect(() => both.run({ z: [1] })).toThrow(TypeError);
    expect([Array.from(both.read("w")), Array.from(both.read("v"))]).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
  });
});
