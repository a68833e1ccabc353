/** How a layer tells of itself in ONNX: it adds nodes one by one, each by the names of what it takes, and is given that of its output. */
export interface OnnxNodes {
  /** `attributes`: whole numbers and lists of them are INT and INTS, text is STRING, { float } is FLOAT. */
  node(op: string, inputs: readonly string[], attributes?: Readonly<Record<string, OnnxAttribute>>): string;
  /** An array of the file's own, named `name` and so that no two are the same. */
  constant(name: string, values: Float32Array | BigInt64Array, shape?: readonly number[]): string;
  /** A node of another file as it is there, its attributes encoded; gives the names of its outputs, "" for those that are left out there. */
  copy(op: string, inputs: readonly string[], outputs: readonly string[], attributes: readonly Uint8Array[]): string[];
  /** An array of another file as it is there, encoded. */
  copied(name: string, tensor: Uint8Array): string;
  /** x W, and b where there is one: x [batch, inputs] or, of `axes` 2, [batch, T, inputs]; W [inputs, units]. */
  linear(x: string, weight: string, bias: string | null, axes: number): string;
  /** One of the library's activations; "linear" adds nothing. */
  activation(name: string, x: string): string;
  /** The operator set that a node needs, beyond the one that all files have. */
  needs(operatorSet: number): void;
}

export type OnnxAttribute = number | string | readonly number[] | { readonly float: number };
