import { type DecodedTensor, decodeModel, decodeTensor } from "../../src/files/onnx-decode";

import { input, type Program, reference, type Tensor, type Values } from "../../src/index";
import { known, OnnxValue } from "../../src/onnx/call";
import { apply, isKnown } from "../../src/onnx/operators/index";
import { predictionOf } from "./torch-networks";

/** A conformance case of ONNX as a program: what it is given, and what must come out. */
export interface OnnxCase {
  readonly program: Program;
  readonly inputs: Record<string, Values>;
  readonly expected: Record<string, DecodedTensor["values"]>;
}

/** Files of a case by name: model.onnx, input_0.pb, …, output_0.pb, … Throws FormatError with what is not known. */
export function readCase(files: Readonly<Record<string, Uint8Array>>): OnnxCase {
  const { graph, opset } = decodeModel(files["model.onnx"] as Uint8Array);
  const unknown = [...new Set(graph.nodes.filter((node) => !isKnown(node)).map(({ op }) => op))];
  if (unknown.length > 0) throw new Error(`operator ${unknown.join(", ")}`);
  const numbered = (part: string) =>
    Object.keys(files)
      .filter((file) => file.startsWith(part))
      .sort((a, b) => Number.parseInt(a.slice(part.length), 10) - Number.parseInt(b.slice(part.length), 10))
      .map((file) => decodeTensor(files[file] as Uint8Array));
  const values = new Map<string, OnnxValue | null>([["", null]]);
  const [inputs, given]: [Record<string, Tensor>, Record<string, Values>] = [{}, {}];
  const take = (name: string, { shape, type, values: numbers }: DecodedTensor) => {
    if (numbers.length === 0) return values.set(name, known([], [0], type));
    const key = `i ${name}`;
    const tensor = input(shape, type === "integer" ? "int32" : "float32");
    inputs[key] = tensor;
    given[key] = numbers;
    // Shapes and axes are known where they are wanted; what is computed with is given.
    return values.set(name, new OnnxValue(tensor, type === "integer" || numbers.length <= 8 ? numbers : null));
  };
  for (const [name, tensor] of graph.initializers) take(name, tensor);
  for (const [i, tensor] of numbered("input_").entries()) take(graph.inputs[i]?.name ?? "", tensor);
  for (const node of graph.nodes) {
    const made = apply(
      node,
      node.inputs.map((name) => values.get(name) ?? null),
      { opset },
    );
    node.outputs.forEach((name, i) => {
      if (name !== "") values.set(name, made[i] ?? null);
    });
  }
  const outputs: Record<string, Tensor> = {};
  const expected: Record<string, DecodedTensor["values"]> = {};
  const results = numbered("output_");
  graph.outputs.forEach((name, i) => {
    const value = values.get(name);
    const result = results[i];
    if (!value || !result) throw new Error(`output ${name} is not made`);
    if (value.empty) throw new Error(`output ${name} is empty`);
    if (value.tensor.shape.join() !== result.shape.join())
      throw new Error(`output is [${value.tensor.shape}], it should be [${result.shape}]`);
    outputs[`o ${name}`] = value.tensor.toFloat32();
    expected[`o ${name}`] = result.values;
  });
  // What nothing reads is not an input of the program's.
  return { program: { inputs, parameters: {}, outputs }, inputs: given, expected };
}

/** The largest difference, in units of the largest value but at least 1. */
export function furthest(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let [scale, off] = [1, got.length === want.length ? 0 : Number.POSITIVE_INFINITY];
  for (let i = 0; i < want.length; i++) {
    const [a, b] = [got[i] as number, want[i] as number];
    if (Number.isFinite(b)) scale = Math.max(scale, Math.abs(b));
    if (!(Object.is(a, b) || (Number.isNaN(a) && Number.isNaN(b)))) off = Math.max(off, Math.abs(a - b) || 0);
    if (Number.isNaN(a) !== Number.isNaN(b)) off = Number.POSITIVE_INFINITY;
  }
  return off / scale;
}

const MOST_NUMBERS = 20_000;

/** Why a case is left out, or null where it holds in float64. */
export function tryCase(files: Readonly<Record<string, Uint8Array>>): string | null {
  try {
    const { program, inputs, expected } = readCase(files);
    const given = Object.values(inputs).reduce((sum, { length }) => sum + length, 0);
    if (given > MOST_NUMBERS) return `more than ${MOST_NUMBERS} numbers, which the judge takes long for`;
    const got = reference(program).run(inputs);
    for (const [name, values] of Object.entries(expected)) {
      const off = furthest(got[name] ?? [], values);
      if (!(off < 1e-5)) return `off by ${off.toPrecision(2)}`;
    }
    return null;
  } catch (error) {
    return (error as Error).message.replace(/^onnx: (\w+) "[^"]*"( of [^:]*)?:/, "$1:");
  }
}

/** Each case's own files. */
function casesIn(files: Readonly<Record<string, Uint8Array>>): Map<string, Record<string, Uint8Array>> {
  const byCase = new Map<string, Record<string, Uint8Array>>();
  for (const [path, bytes] of Object.entries(files)) {
    const at = path.lastIndexOf("/");
    const name = path.slice(0, at);
    byCase.set(name, { ...byCase.get(name), [path.slice(at + 1)]: bytes });
  }
  return byCase;
}

/** The cases of the packed file by their names. */
export function casesOf(files: Readonly<Record<string, Uint8Array>>): Map<string, OnnxCase> {
  return new Map([...casesIn(files)].map(([name, own]) => [name, readCase(own)]));
}

/** Cases of one program: one is compiled where each would take its time. */
const GROUP = 12;

/** Many cases side by side in one program. */
export function inGroups(
  cases: ReadonlyMap<string, OnnxCase>,
): { program: Program; inputs: Record<string, Values>; names: string }[] {
  const all = [...cases];
  const count = Math.ceil(all.length / GROUP);
  // Neighbours are of one operator: dealt out, so that no program has many powers, at which shaders' compilers take longer than one by one.
  const groups = Array.from({ length: count }, (_, i) => all.filter((_, at) => at % count === i));
  return groups.map((group) => {
    const prefixed = <T>(part: (each: OnnxCase) => Record<string, T>) =>
      Object.fromEntries(
        group.flatMap(([name, each]) => Object.entries(part(each)).map(([key, value]) => [`${name} ${key}`, value])),
      );
    return {
      program: {
        inputs: prefixed(({ program }) => program.inputs),
        parameters: {},
        outputs: prefixed(({ program }) => program.outputs),
      },
      inputs: prefixed(({ inputs }) => inputs),
      names: group.map(([name]) => name).join(", "),
    };
  });
}

/** Why a case of PyTorch's is no model, or null where readOnnx makes one that holds in float64. */
export function tryModel(files: Readonly<Record<string, Uint8Array>>): string | null {
  const [given, wanted] = ["input_0.pb", "output_0.pb"].map((file) => decodeTensor(files[file] as Uint8Array));
  try {
    const { program, weights } = predictionOf(files["model.onnx"] as Uint8Array, given?.shape[0] ?? 1);
    const judge = reference(program);
    judge.write(weights);
    const off = furthest(judge.run({ x: given?.values ?? [] }).prediction ?? [], wanted?.values ?? []);
    return off < 1e-5 ? null : `off by ${off.toPrecision(2)}`;
  } catch (error) {
    return (error as Error).message.replace(/^onnx: (\w+) "[^"]*"( of [^:]*)?:/, "$1:");
  }
}

/** What the list says of cases as models: how many there are, and the others by why they are none. */
export function toldOfModels(files: Readonly<Record<string, Uint8Array>>): string {
  const cases = [...casesIn(files)].filter(([name]) => name.startsWith("pytorch-"));
  const others = cases.flatMap(([name, own]) => {
    const reason = tryModel(own);
    return reason === null ? [] : [`| ${name} | ${reason.replaceAll("|", "\\|")} |`];
  });
  return `Of the ${cases.length} of PyTorch, \`readOnnx\` makes ${cases.length - others.length} a model that gives what is expected. The others:

| case | why it is none |
|---|---|
${others.join("\n")}
`;
}
