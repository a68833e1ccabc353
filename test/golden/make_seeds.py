"""The five seed programs in NumPy, from the starting values in their golden files.

    python3 test/golden/make_seeds.py            checks the golden files, writes nothing
    python3 test/golden/make_seeds.py --write    also writes the three files named below

Every float64 value of `seed-00N.safetensors` (losses, `first.*`, seed-003's gradients, `final.*`) is to come out
again to 1e-12, and with the NumPy that made them it comes out bit for bit. The float32 losses are to stay
within the trajectory bound that a GPU is held to: 8 times the largest relative error that float32 has made up to
there, never below 2e-5. A BLAS that sums in another order forks from seed-003 and seed-004 as float32 does, much
later; there the check fails at the end of those two, and nothing is wrong.

Three files hold what the tests need besides:
    seed-003-float32   losses and gradients of each epoch in float32: how far NumPy's own float32 goes astray
    seed-003-right     seed-003 with its mistakes mended: the run of the loss's own gradients
    seed-004-states    float64 weights after pass 0, 1000, ..., 19000, then the final ones: states of the golden run
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
TYPES = {"F64": np.float64, "F32": np.float32, "I32": np.int32}


def read(name):
    """name -> array, of test/golden/<name>.safetensors."""
    file = (HERE / f"{name}.safetensors").read_bytes()
    start = 8 + struct.unpack("<Q", file[:8])[0]
    header = json.loads(file[8:start])
    header.pop("__metadata__", None)
    return {
        key: np.frombuffer(file[start:][slice(*entry["data_offsets"])], TYPES[entry["dtype"]]).reshape(entry["shape"])
        for key, entry in header.items()
    }


def write(name, arrays, note):
    header, data = {"__metadata__": {"note": note}}, b""
    for key, array in arrays.items():
        dtype = next(short for short, numpy in TYPES.items() if numpy == array.dtype)
        header[key] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += np.ascontiguousarray(array).tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (HERE / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def initial(golden, dtype):
    """The starting values; floats in `dtype`, classes as they are."""
    return {
        key.removeprefix("init."): array.astype(dtype) if array.dtype == np.float32 else array
        for key, array in golden.items()
        if key.startswith("init.")
    }


def two_layer(golden, dtype):
    """seed-000, seed-002: x [64, 1000] -> 100 ReLU -> 10, no biases, squared error summed, rate 1e-6, 500 steps."""
    v = initial(golden, dtype)
    x, y, w1, w2 = v["x"], v["y"], v["w1"], v["w2"]
    losses, first = [], {}
    for _ in range(500):
        h = x @ w1
        h_relu = np.maximum(h, 0)
        y_pred = h_relu @ w2
        losses.append(np.square(y_pred - y).sum())

        grad_y_pred = 2.0 * (y_pred - y)
        grad_w2 = h_relu.T @ grad_y_pred
        grad_h_relu = grad_y_pred @ w2.T
        grad_h = grad_h_relu.copy()
        grad_h[h < 0] = 0
        grad_w1 = x.T @ grad_h
        first = first or dict(h=h, h_relu=h_relu, y_pred=y_pred, grad_y_pred=grad_y_pred, grad_w2=grad_w2,
                              grad_h_relu=grad_h_relu, grad_h=grad_h, grad_w1=grad_w1)
        w1 = w1 - dtype(1e-6) * grad_w1
        w2 = w2 - dtype(1e-6) * grad_w2
    return dict(losses=losses, first=first, final=dict(w1=w1, w2=w2))


def row_biases(golden, dtype):
    """seed-001: x [100, 27] -> 9 ReLU -> 3, a bias for each row (b1 [100, 9], b2 [100, 3]), squared error summed,
    rate 1e-4, 2000 steps. `h1` is before the ReLU; the gradient of a row's bias is that row's own."""
    v = initial(golden, dtype)
    x, y, w1, b1, w2, b2 = (v[name] for name in ("x", "y", "w1", "b1", "w2", "b2"))
    rate = dtype(1e-4)
    losses, first = [], {}
    for _ in range(2000):
        h1 = x @ w1 + b1
        h1_relu = np.maximum(h1, 0)
        predicate = h1_relu @ w2 + b2
        losses.append(np.square(predicate - y).sum())

        d_loss_predicate = 2.0 * (predicate - y)
        d_loss_w2 = h1_relu.T @ d_loss_predicate
        d_loss_b1 = d_loss_predicate @ w2.T
        d_loss_b1[h1 < 0] = 0
        d_loss_w1 = x.T @ d_loss_b1
        first = first or dict(h1=h1, predicate=predicate, d_loss_predicate=d_loss_predicate, d_loss_w2=d_loss_w2,
                              d_loss_b1=d_loss_b1, d_loss_w1=d_loss_w1)
        w1, b1 = w1 - rate * d_loss_w1, b1 - rate * d_loss_b1
        w2, b2 = w2 - rate * d_loss_w2, b2 - rate * d_loss_predicate
    return dict(losses=losses, first=first, final=dict(w1=w1, b1=b1, w2=w2, b2=b2))


def two_two_one(golden, dtype, right=False):
    """seed-003: 2 -> 2 ReLU -> 1 over two rows, half the mean squared error, rate 0.05, 100 epochs.

    Its famous mistakes all come from rows and features both being two, so that no shape complains:
    - b1 is a column, so the forward pass adds it by row where it belongs to a feature;
    - W1's gradient is dz X^T where dz^T X belongs (X is symmetric as it stands; dz is what stands the wrong way);
    - b1's gradient is a mean over the rows, right for a bias by feature, wrong for the one that was added;
    - W2's gradient is summed over the rows and not averaged, twice that of the loss.
    Only b2's is the derivative of the loss. `right` takes the derivatives of the loss as it is (b1 by row)."""
    v = initial(golden, dtype)
    X, y_true, W1, b1, W2, b2 = (v[name] for name in ("X", "y_true", "W1", "b1", "W2", "b2"))
    rate = dtype(0.05)
    losses, grads = [], {"W1": [], "b1": [], "W2": [], "b2": []}
    for _ in range(100):
        z = X @ W1.T + b1
        a = np.maximum(z, 0)
        d = a @ W2.T + b2 - y_true
        losses.append((d * d).mean() / 2)

        dz = d @ W2 * (z > 0)
        rows = dtype(len(d))
        grads["W1"].append(dz.T @ X / rows if right else dz @ X.T)
        grads["b1"].append(dz.sum(axis=1, keepdims=True) / rows if right else dz.mean(axis=0, keepdims=True).T)
        grads["W2"].append(d.T @ a / rows if right else d.T @ a)
        grads["b2"].append(d.mean(keepdims=True))
        W1, b1 = W1 - rate * grads["W1"][-1], b1 - rate * grads["b1"][-1]
        W2, b2 = W2 - rate * grads["W2"][-1], b2 - rate * grads["b2"][-1]
    each = {f"{name}_grad": np.array(values) for name, values in grads.items()}
    return dict(losses=losses, first={}, final=dict(W1=W1, b1=b1, W2=W2, b2=b2), each=each)


def moons(golden, dtype):
    """seed-004, seed-004-h1: 2 -> tanh -> 2 softmax on 200 points (3 hidden neurons, or 1), gradients summed over
    the points, rate 0.01, penalty 0.01/2 of the squared weights (biases left out), 20,000 passes. The loss printed
    after pass 0, 1000, ... is (summed cross entropy + penalty) / 200, with the weights that the pass left."""
    v = initial(golden, dtype)
    X, y, W1, b1, W2, b2 = (v[name] for name in ("X", "y", "W1", "b1", "W2", "b2"))
    rows = np.arange(len(y))
    rate = penalty = dtype(0.01)

    def forward():
        a = np.tanh(X @ W1 + b1)
        e = np.exp(a @ W2 + b2)
        return a, e / e.sum(axis=1, keepdims=True)

    losses, states = [], []
    for step in range(20000):
        a, probabilities = forward()
        d = probabilities.copy()
        d[rows, y] -= 1
        dz = d @ W2.T * (1 - np.power(a, 2))
        grads = X.T @ dz + penalty * W1, dz.sum(axis=0), a.T @ d + penalty * W2, d.sum(axis=0, keepdims=True)
        W1, b1, W2, b2 = (value - rate * grad for value, grad in zip((W1, b1, W2, b2), grads))
        if step % 1000 == 0:
            states.append((W1, b1, W2, b2))
            loss = -np.log(forward()[1][rows, y]).sum()
            loss += penalty / 2 * (np.square(W1).sum() + np.square(W2).sum())
            losses.append(loss / len(y))
    states.append((W1, b1, W2, b2))
    names = ("W1", "b1", "W2", "b2")
    by_name = {name: np.array(values) for name, values in zip(names, zip(*states))}
    return dict(losses=losses, first={}, final=dict(zip(names, (W1, b1, W2, b2))), states=by_name)


def check(name, run):
    golden = read(name)
    result, single = run(golden, np.float64), run(golden, np.float32)
    pairs = {"losses": np.array(result["losses"]), **result.get("each", {})}
    pairs |= {f"first.{key}": value for key, value in result["first"].items()}
    pairs |= {f"final.{key}": value for key, value in result["final"].items()}
    unchecked = [key for key in golden if key not in pairs and key != "f32_losses" and not key.startswith("init.")]
    worst, ok = 0.0, not unchecked
    for key, value in pairs.items():
        stored = golden[key].astype(np.float64)
        error = np.abs(value.reshape(stored.shape) - stored)
        error = (error / stored).max() if key == "losses" else error.max() / np.abs(stored).max()
        # What the files keep in float32 (the large arrays) was rounded once: 2^-24 of the largest.
        bound = 2.0**-24 if golden[key].dtype == np.float32 else 1e-12
        worst = max(worst, error / bound)
        if not error <= bound:
            ok = False
            print(f"  {name}: {key} is off by {error:.3g}, relative; bound {bound:.3g}")
    relative = np.abs(golden["f32_losses"] / golden["losses"] - 1)
    bounds = np.maximum(8 * np.maximum.accumulate(relative), 2e-5)
    off = np.abs(np.array(single["losses"], np.float64) / golden["losses"] - 1)
    if not (off <= bounds).all():
        ok = False
        print(f"  {name}: float32 leaves the trajectory bound at record {int(np.argmax(off > bounds))}")
    same = np.array_equal(pairs["losses"], golden["losses"])
    print(f"{name}: {'ok' if ok else 'DIFFERS'}; float64 losses {'bit for bit' if same else f'{worst:.3g} of the bound'}"
          f"{'; not checked: ' + ', '.join(unchecked) if unchecked else ''}")
    return ok, result, single


def main():
    ok, results = True, {}
    for name, run in {"seed-000": two_layer, "seed-001": row_biases, "seed-002": two_layer, "seed-003": two_two_one,
                      "seed-004": moons, "seed-004-h1": moons}.items():
        fine, *results[name] = check(name, run)
        ok = ok and fine
    if ok and "--write" in sys.argv[1:]:
        single = results["seed-003"][1]
        write("seed-003-float32", {"losses": np.array(single["losses"], np.float32), **single["each"]},
              "seed-003 in float32: loss and gradients of each epoch")
        start = read("seed-003")
        right, right32 = two_two_one(start, np.float64, right=True), two_two_one(start, np.float32, right=True)
        write("seed-003-right",
              {key: value for key, value in start.items() if key.startswith("init.")}
              | {"losses": np.array(right["losses"]), "f32_losses": np.array(right32["losses"], np.float64)}
              | right["each"] | {f"final.{key}": value for key, value in right["final"].items()},
              "seed-003 with the derivatives of its loss")
        write("seed-004-states", results["seed-004"][0]["states"],
              "seed-004: weights after pass 0, 1000, ..., 19000, and last those after all 20,000")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
