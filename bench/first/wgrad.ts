import { input, open, parameter } from "../../src/index";
import { batch, firstData, hidden, inputs, outputs, rate, report } from "./data";

report(async (backend) => {
  const x = input([batch, inputs]);
  const y = input([batch, outputs]);
  const w1 = parameter([inputs, hidden]);
  const w2 = parameter([hidden, outputs]);
  const h = x.matmul(w1);
  const hRelu = h.relu();
  const residue = hRelu.matmul(w2).sub(y);
  const loss = residue.square().sum();
  const gradY = residue.mul(2);
  const gradH = gradY.matmul(w2.T).mask(h.ge(0));

  const device = await open({ backend: backend === "cpu" ? "cpu" : "webgpu" });
  const compiling = device.compile({
    inputs: { x, y },
    parameters: { w1, w2 },
    outputs: { loss },
    updates: { w1: w1.sub(x.T.matmul(gradH).mul(rate)), w2: w2.sub(hRelu.T.matmul(gradY).mul(rate)) },
  });
  const data = firstData();
  const session = await compiling;
  session.write({ w1: data.w1, w2: data.w2 });
  const { loss: losses } = await session.run({ x: data.x, y: data.y });
  return losses?.[0] ?? Number.NaN;
});
