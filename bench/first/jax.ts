import { blockUntilReady, defaultDevice, init, type Array as Jax, jit, nn, numpy as np } from "@jax-js/jax";
import { batch, firstData, hidden, inputs, outputs, rate, report } from "./data";

report(async (backend) => {
  const device = backend === "wasm" ? "wasm" : "webgpu";
  if (!(await init(device)).includes(device)) throw new Error(`jax-js does not start ${device}`);
  defaultDevice(device);
  const step = jit((w1: Jax, w2: Jax, x: Jax, y: Jax) => {
    const h = np.matmul(x.ref, w1.ref);
    const hRelu = nn.relu(h.ref);
    const residue = np.matmul(hRelu.ref, w2.ref).sub(y);
    const loss = np.sum(np.square(residue.ref));
    const gradY = residue.mul(2);
    const gradW2 = np.matmul(hRelu.transpose(), gradY.ref);
    const gradH = np.where(h.greaterEqual(0), np.matmul(gradY, w2.ref.transpose()), 0);
    const gradW1 = np.matmul(x.transpose(), gradH);
    return [w1.sub(gradW1.mul(rate)), w2.sub(gradW2.mul(rate)), loss];
  });
  const data = firstData();
  const array = (values: Float32Array, shape: number[]) => np.array(values as Float32Array<ArrayBuffer>, { shape });
  const [w1, w2, loss] = step(
    array(data.w1, [inputs, hidden]),
    array(data.w2, [hidden, outputs]),
    array(data.x, [batch, inputs]),
    array(data.y, [batch, outputs]),
  ) as [Jax, Jax, Jax];
  await blockUntilReady([w1, w2]);
  return (await loss.data())[0] as number;
});
