import type { Numbers } from "../graph/ops";
import { checkProgram, checkSteps, checkValues, type Program, type Values } from "../graph/program";
import { type Tensor, topological } from "../graph/tensor";
import { sizeOf } from "../util/shape";
import { evaluate, isFed } from "./evaluate";

/** The float64 judge with a program's state: the calls of a `Session`, each an answer at once. */
export interface Reference {
  /** Sets parameters; wrong name, length or a non-finite value is an error and changes nothing. */
  write(values: Record<string, Values>): void;
  /** A parameter's current value, or an output of the last step. Throws TypeError for an unknown name. */
  read(name: string): Float64Array;
  /** As Session.run, at once: scalar outputs as their history, one value every `every` steps, others as of the last step. */
  run(inputs: Record<string, Values>, options?: { steps?: number; every?: number }): Record<string, Float64Array>;
}

/**
 * The judge: the program in float64 on the CPU, one plain loop an operation, synchronous. Never fused, never planned, so
 * that no mistake of fusing or placing can hide in both. Throws what `compile` throws for a program that cannot run.
 */
export function reference(program: Program): Reference {
  return new ReferenceSession(program);
}

/** One step in float64, its values by node; updates are computed and not applied. */
export class ReferenceSession implements Reference {
  private readonly program: Program;
  private readonly nodes: readonly Tensor[];
  private readonly lastUse = new Map<Tensor, number>();
  private readonly kept: ReadonlySet<Tensor>;
  private readonly parameters = new Map<string, Numbers>();
  private readonly outputs = new Map<string, Numbers>();

  constructor(
    program: Program,
    /** What is kept of a parameter's new value. */
    private readonly rounded: (value: number) => number = (value) => value,
  ) {
    checkProgram(program);
    this.program = { ...program, updates: { ...program.updates } };
    const results = [...Object.values(program.outputs), ...Object.values(program.updates ?? {})];
    this.nodes = topological(results);
    this.nodes.forEach((node, i) => {
      for (const operand of node.operands) this.lastUse.set(operand, i);
    });
    this.kept = new Set(results);
    for (const [name, { shape }] of Object.entries(program.parameters))
      this.parameters.set(name, new Float64Array(sizeOf(shape)));
  }

  write(values: Record<string, Values>): void {
    checkValues("write", this.program.parameters, values, false);
    for (const [name, array] of Object.entries(values)) this.parameters.set(name, Float64Array.from(array));
  }

  read(name: string): Float64Array {
    const value = this.parameters.get(name) ?? this.outputs.get(name);
    if (value === undefined) {
      const known = [...this.parameters.keys(), ...Object.keys(this.program.outputs)].join(", ");
      throw new TypeError(
        Object.hasOwn(this.program.outputs, name)
          ? `read: output "${name}" has no value before the first run`
          : `read: there is no "${name}"; known names are ${known}`,
      );
    }
    return value.slice();
  }

  run(inputs: Record<string, Values>, options: { steps?: number; every?: number } = {}): Record<string, Float64Array> {
    checkValues("run", this.program.inputs, inputs, true);
    const { steps, every } = checkSteps("run", options);
    const { outputs, updates = {} } = this.program;
    const fed = float64(inputs);
    const histories = new Map<string, Float64Array>();
    for (const [name, { shape }] of Object.entries(outputs)) {
      if (sizeOf(shape) === 1) histories.set(name, new Float64Array(Math.ceil(steps / every)));
    }
    for (let step = 0; step < steps; step++) {
      const value = this.step(fed);
      for (const [name, tensor] of Object.entries(outputs)) {
        const result = value.get(tensor) as Numbers;
        this.outputs.set(name, result);
        if (step % every === 0) histories.get(name)?.fill(result[0] as number, step / every, step / every + 1);
      }
      for (const [name, tensor] of Object.entries(updates))
        this.parameters.set(name, (value.get(tensor) as Numbers).map(this.rounded));
    }
    return Object.fromEntries(Object.keys(outputs).map((name) => [name, histories.get(name) ?? this.read(name)]));
  }

  /** Outputs and updates of one step from the current parameters; nothing is changed. */
  trial(inputs: Record<string, Values>): { outputs: Record<string, Numbers>; updates: Record<string, Numbers> } {
    const value = this.step(float64(inputs));
    const named = (tensors: Record<string, Tensor>) =>
      Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, value.get(tensor) as Numbers]));
    return { outputs: named(this.program.outputs), updates: named(this.program.updates ?? {}) };
  }

  /** The values of outputs and updates in one step from the current parameters; intermediates go as soon as they are used up. */
  private step(inputs: Record<string, Numbers>): Map<Tensor, Numbers> {
    const value = new Map<Tensor, Numbers>();
    for (const [name, tensor] of Object.entries(this.program.inputs)) value.set(tensor, inputs[name] as Numbers);
    for (const [name, tensor] of Object.entries(this.program.parameters))
      value.set(tensor, this.parameters.get(name) as Numbers);
    this.nodes.forEach((node, i) => {
      if (!isFed(node))
        value.set(
          node,
          evaluate(
            node,
            node.operands.map((operand) => value.get(operand) as Numbers),
          ),
        );
      for (const operand of node.operands) {
        if (this.lastUse.get(operand) === i && !this.kept.has(operand) && !isFed(operand)) value.delete(operand);
      }
    });
    return value;
  }
}

function float64(values: Record<string, Values>): Record<string, Float64Array> {
  return Object.fromEntries(Object.entries(values).map(([name, array]) => [name, Float64Array.from(array)]));
}
