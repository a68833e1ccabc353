import {
  matMul,
  mul,
  ready,
  relu,
  setBackend,
  square,
  step,
  sub,
  sum,
  type Tensor,
  type Tensor2D,
  tensor2d,
} from "@tensorflow/tfjs-core";
import { batch, firstData, hidden, inputs, outputs, rate } from "./data";

/** TF.js by single functions, so that a bundler leaves out what is not used. */
export async function firstStep(backend: string): Promise<number> {
  if (!(await setBackend(backend))) throw new Error(`TF.js does not start ${backend}`);
  await ready();
  const data = firstData();
  const x = tensor2d(data.x, [batch, inputs]);
  const y = tensor2d(data.y, [batch, outputs]);
  const w1 = tensor2d(data.w1, [inputs, hidden]);
  const w2 = tensor2d(data.w2, [hidden, outputs]);
  const h = matMul(x, w1);
  const hRelu = relu(h) as Tensor2D;
  const residue = sub(matMul(hRelu, w2), y);
  const loss: Tensor = sum(square(residue));
  const gradY = mul(residue, 2) as Tensor2D;
  const gradH = mul(matMul(gradY, w2, false, true), step(h)) as Tensor2D;
  const nextW1 = sub(w1, mul(matMul(x, gradH, true), rate));
  const nextW2 = sub(w2, mul(matMul(hRelu, gradY, true), rate));
  const [value] = await Promise.all([loss.data(), nextW1.data(), nextW2.data()]);
  return value[0] as number;
}
