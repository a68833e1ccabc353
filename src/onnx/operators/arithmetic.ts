import { type Tensor, where } from "../../graph/tensor";
import { sizeOf } from "../../util/shape";
import { binary, type Call, type Operator, type Operators, perChannel, unary } from "../call";

const all =
  (join: (a: Tensor, b: Tensor) => Tensor): Operator =>
  (call) =>
    call.all().reduce(join);
const truth = (x: Tensor) => x.toFloat32().ne(0);
/** A function of float32 for integers too. */
const whole =
  (of: (...operands: Tensor[]) => Tensor): Operator =>
  (call) => {
    const made = of(...call.all().map((x) => x.toFloat32()));
    return call.x().dtype === "int32" ? made.toInt32() : made;
  };
/** Towards 0. */
const truncated = (x: Tensor) => x.sign().mul(x.abs().floor());
const negated = (x: Tensor) => (x.dtype === "int32" ? x.mul(-1) : x.neg());

/** What files take most powers to: norms and GELU square and cube. */
const POWERS: Readonly<Record<number, (x: Tensor) => Tensor>> = {
  [0.5]: (x) => x.sqrt(),
  1: (x) => x,
  2: (x) => x.square(),
  3: (x) => x.square().mul(x),
  [-1]: (x) => x.reciprocal(),
};

/** Element by element. */
export const ARITHMETIC: Operators = {
  Abs: unary((x) => (x.dtype === "int32" ? x.maximum(negated(x)) : x.abs())),
  Neg: unary(negated),
  Exp: unary((x) => x.exp()),
  Log: unary((x) => x.log()),
  Sqrt: unary((x) => x.sqrt()),
  Reciprocal: unary((x) => x.reciprocal()),
  Relu: unary((x) => x.relu()),
  Tanh: unary((x) => x.tanh()),
  Sigmoid: unary((x) => x.sigmoid()),
  Erf: unary((x) => x.erf()),
  Sign: unary((x) => x.sign()),
  Floor: unary((x) => x.floor()),
  Ceil: unary((x) => x.ceil()),
  Round: unary((x) => x.round()),
  Softplus: unary((x) => x.softplus()),
  Softsign: unary((x) => x.div(x.abs().add(1))),
  Identity: (call) => [call.value()],
  Sin: unary((x) => x.sin()),
  Cos: unary((x) => x.cos()),
  Tan: unary((x) => x.sin().div(x.cos())),
  Sinh: unary((x) => x.exp().sub(x.neg().exp()).mul(0.5)),
  Cosh: unary((x) => x.exp().add(x.neg().exp()).mul(0.5)),
  IsNaN: unary((x) => x.eq(x).eq(0)),
  Gelu: (call) => call.x().gelu(call.text("approximate", "none") === "tanh" ? "tanh" : "none"),
  Mish: unary((x) => x.mul(x.softplus().tanh())),
  HardSwish: unary((x) => x.mul(x.div(6).add(0.5).clip(0, 1))),
  Elu: (call) => call.x().elu(call.number("alpha", 1)),
  LeakyRelu: (call) => call.x().leakyRelu(call.number("alpha", 0.01)),
  ThresholdedRelu: (call) => call.x().mask(call.x().gt(call.number("alpha", 1))),
  HardSigmoid: (call) => call.x().mul(call.number("alpha", 0.2)).add(call.number("beta", 0.5)).clip(0, 1),
  Celu: (call) => {
    const alpha = call.number("alpha", 1);
    return call.x().maximum(0).add(call.x().div(alpha).minimum(0).expm1().mul(alpha));
  },
  Selu: (call) => call.x().elu(call.number("alpha", 1.6732632423543772)).mul(call.number("gamma", 1.0507009873554805)),
  PRelu: (call) => {
    const [x, slope] = [call.x(0), call.x(1)];
    // One a channel, as PyTorch writes it, is beside axis 1 and not the last.
    const byChannel = slope.shape.length === 1 && x.shape.length > 2 && slope.shape[0] === x.shape[1];
    const beside = byChannel ? perChannel(slope, x) : slope;
    return where(x.lt(0), x.mul(beside), x);
  },
  Shrink: (call) => {
    const [x, lambda, bias] = [call.float(), call.number("lambd", 0.5), call.number("bias", 0)];
    return where(x.lt(-lambda), x.add(bias), x.sub(bias).mask(x.gt(lambda)));
  },
  Cast: (call) => cast(call, call.number("to", 1)),
  CastLike: (call) => (call.x(1).dtype === "int32" ? call.x().toInt32() : call.float()),

  Add: binary((a, b) => a.add(b)),
  Sub: binary((a, b) => a.sub(b)),
  Mul: binary((a, b) => a.mul(b)),
  Div: (call) => (call.x().dtype === "int32" ? call.float(0).div(call.float(1)).toInt32() : call.x(0).div(call.x(1))),
  Pow: (call) => {
    const exponent = call.value(1);
    const one = exponent.knowable && sizeOf(exponent.tensor.shape) === 1 ? call.numbers(1)?.[0] : undefined;
    const quick = one === undefined || exponent.tensor.shape.length > call.x().shape.length ? undefined : POWERS[one];
    return whole((x, power) => quick?.(x) ?? x.pow(power as Tensor))(call);
  },
  Mod: (call) =>
    whole((a, b) => {
      const quotient = a.div(b as Tensor);
      return a.sub((call.number("fmod", 0) === 1 ? truncated(quotient) : quotient.floor()).mul(b as Tensor));
    })(call),
  Max: all((a, b) => a.maximum(b)),
  Min: all((a, b) => a.minimum(b)),
  Sum: all((a, b) => a.add(b)),
  Mean: (call) =>
    call
      .all()
      .reduce((a, b) => a.add(b))
      .mul(1 / call.count),
  Equal: binary((a, b) => a.eq(b)),
  Greater: binary((a, b) => a.gt(b)),
  GreaterOrEqual: binary((a, b) => a.ge(b)),
  Less: binary((a, b) => a.lt(b)),
  LessOrEqual: binary((a, b) => a.le(b)),
  And: binary((a, b) => truth(a).mul(truth(b))),
  Or: binary((a, b) => truth(a).maximum(truth(b))),
  Xor: binary((a, b) => truth(a).ne(truth(b))),
  Not: unary((x) => x.toFloat32().eq(0)),
  Where: (call) => where(call.x(0), call.float(1), call.float(2)),
  Clip: (call) => {
    const bound = (name: string, i: number) => (call.has(i) ? call.float(i).reshape([]) : call.attribute(name));
    const [min, max] = [bound("min", 1), bound("max", 2)] as (Tensor | number | undefined)[];
    const above = min === undefined ? call.float() : call.float().maximum(min);
    return max === undefined ? above : above.minimum(max);
  },
};

/** To one of TensorProto's types: all floating ones are float32 here, all whole ones int32, in the values that fit. */
function cast(call: Call, to: number): Tensor {
  if (to === 1 || to === 11) return call.float();
  // bool is whether there is something, not its whole part.
  if (to === 9) return truth(call.x()).toInt32();
  return [2, 3, 5, 6, 7].includes(to) ? call.x().toInt32() : call.refuse(`casts to the type ${to}, which is not known`);
}
