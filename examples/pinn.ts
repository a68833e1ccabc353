import {
  adam,
  concat,
  cosineDecay,
  type Device,
  grad,
  input,
  open,
  type Program,
  parameter,
  randomState,
  type Session,
  type Tensor,
} from "wgrad";

const VISCOSITY = 0.1;
const WIDTHS = [2, 16, 16, 16, 1];
const POINTS = 512;

/**
 * A network that solves a differential equation (a physics-informed neural network): Burgers' equation,
 *
 *     u_t + u u_x = 0.1 u_xx   for x from -1 to 1 and t from 0 to 1,   u(x, 0) = -sin(πx),   u(±1, t) = 0.
 *
 * Nobody tells it the solution: it learns to satisfy the equation at 512 points. The loss is what the equation leaves over, made of
 * derivatives of the network in its inputs, and is itself derived in the weights. Returns the relative error against the exact solution
 * on a grid. Source: Raissi, Perdikaris and Karniadakis 2019, §3.1.
 */
export async function main(device?: Device, steps = 2000): Promise<{ error: number; losses: Float32Array }> {
  const on = device ?? (await open());
  const { network, program } = learning(steps);
  const session = await on.compile(program);
  const points = first(session, network);
  const begun = performance.now();
  const { loss: losses = new Float32Array() } = await session.run(points, { steps });
  const rate = (1000 * steps * POINTS) / (performance.now() - begun);

  // The same expressions at other points are another program, which is given the trained weights.
  const grid = Array.from({ length: 41 * 21 }, (_, i) => ({ x: (i % 41) / 20 - 1, t: Math.floor(i / 41) / 20 }));
  const answer = await on.compile(asking(network, grid.length));
  for (const name of Object.keys(network)) answer.write({ [name]: await session.read(name) });
  const { u: found = new Float32Array() } = await answer.run({ x: grid.map(({ x }) => x), t: grid.map(({ t }) => t) });

  const error = relativeError(
    found,
    grid.map(({ x, t }) => exact(x, t)),
  );
  console.log(`pinn: ${(100 * error).toFixed(2)} % from the exact solution; ${rate.toFixed(0)} points a second`);
  session.dispose();
  answer.dispose();
  if (!device) on.close();
  return { error, losses };
}

/** The network, and a step of its training on points x and t [POINTS, 1]. */
export function learning(steps: number): { network: Record<string, Tensor>; program: Program } {
  const network: Record<string, Tensor> = {};
  WIDTHS.slice(1).forEach((width, i) => {
    network[`${i}.weight`] = parameter([WIDTHS[i] as number, width]);
    network[`${i}.bias`] = parameter([width]);
  });
  const [x, t] = [input([POINTS, 1]), input([POINTS, 1])];
  const u = solution(network, x, t);
  // Row i of u depends on row i of x and t alone, so that the derivatives of the sum are those of the rows.
  const [ux, ut] = grad(u.sum(), [x, t]);
  const [uxx] = grad(ux.sum(), [x]);
  const loss = ut.add(u.mul(ux)).sub(uxx.mul(VISCOSITY)).square().mean();
  const gradients = grad(loss, Object.values(network));
  const { state, updates } = adam({ lr: cosineDecay(0.01, steps) }).update(network, gradients, { steps });
  return { network, program: { inputs: { x, t }, parameters: { ...network, ...state }, outputs: { loss }, updates } };
}

/** Writes first weights to the session; the points that it learns at. */
export function first(session: Session, network: Record<string, Tensor>): { x: Float64Array; t: Float64Array } {
  const random = randomState(0);
  for (const [name, { shape }] of Object.entries(network)) {
    const [inputs = 1, units] = shape;
    if (units !== undefined) session.write({ [name]: random.normal(0, Math.sqrt(1 / inputs), inputs * units) });
  }
  return { x: random.uniform(-1, 1, POINTS), t: random.rand(POINTS) };
}

/** What the network says at `count` points: x and t [count, 1] -> u [count, 1]. */
export function asking(network: Record<string, Tensor>, count: number): Program {
  const at = { x: input([count, 1]), t: input([count, 1]) };
  return { inputs: at, parameters: network, outputs: { u: solution(network, at.x, at.t) } };
}

/** The length of what is wrong beside the length of what is right. */
export function relativeError(found: ArrayLike<number>, right: readonly number[]): number {
  const squares = (values: readonly number[]) => values.reduce((sum, value) => sum + value ** 2, 0);
  return Math.sqrt(squares(right.map((value, i) => value - (found[i] as number))) / squares(right));
}

/** u [n, 1] of x and t [n, 1]. By its form it is right at t = 0 and at both ends; the network is left with the inside. */
function solution(network: Record<string, Tensor>, x: Tensor, t: Tensor): Tensor {
  let h = concat([x, t], 1);
  for (let i = 0; i < WIDTHS.length - 1; i++) {
    h = h.matmul(network[`${i}.weight`] as Tensor).add(network[`${i}.bias`] as Tensor);
    if (i < WIDTHS.length - 2) h = h.tanh();
  }
  const inside = t.mul(x.square().neg().add(1));
  return h.mul(inside).sub(x.mul(Math.PI).sin());
}

/** By Cole and Hopf: a ratio of two integrals over a bell curve, here sums. Source: Basdevant et al. 1986, eq. 2.5. */
export function exact(x: number, t: number): number {
  let [above, below] = [0, 0];
  for (let z = -6; z <= 6; z += 0.05) {
    const y = x - z * Math.sqrt(4 * VISCOSITY * t);
    const share = Math.exp(-Math.cos(Math.PI * y) / (2 * Math.PI * VISCOSITY) - z * z);
    above -= Math.sin(Math.PI * y) * share;
    below += share;
  }
  return above / below;
}
