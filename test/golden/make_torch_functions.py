"""Golden values of PyTorch in float64: functions of tensors and their derivatives.

    /usr/bin/python3 test/golden/make_torch_functions.py            checks the file against this PyTorch, writes nothing
    /usr/bin/python3 test/golden/make_torch_functions.py --write    writes it

    torch-functions   x [4, 3, 10], float32: ordinary numbers, zeros, halves and large ones; for each function `value.NAME`, and
                      `derivative.NAME`, that of the sum of value times weights, whose `weight.NAME` lies beside it
"""

import sys

import numpy as np
import torch
import torch.nn.functional as F
from make_torch import differs, read, write

FUNCTIONS = {
    "log1p": lambda x: torch.log1p(x.abs()),
    "expm1": lambda x: torch.expm1(x.clamp(max=20)),
    "erf": torch.erf,
    "sign": torch.sign,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": torch.round,
    "ne": lambda x: (x != 0).to(x.dtype) * x,
    "reciprocal": lambda x: (x.abs() + 0.5).reciprocal(),
    "rsqrt": lambda x: (x.abs() + 0.5).rsqrt(),
    "clip": lambda x: x.clamp(-0.5, 1.5),
    "clip-by-tensors": lambda x: x.clamp(x.mean(0) - 0.5, x.mean(0) + 0.5),
    "where": lambda x: torch.where(x > 0, x * x, x.tanh()),
    "gelu": F.gelu,
    "gelu-tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "softplus": lambda x: torch.logaddexp(x, torch.zeros(())),
    "elu": F.elu,
    "elu-half": lambda x: F.elu(x, 0.5),
    "leaky-relu": F.leaky_relu,
    "leaky-relu-fifth": lambda x: F.leaky_relu(x, 0.2),
    "stop-gradient": lambda x: x * x.detach(),
    "sum-0-2": lambda x: x.sum((0, 2)),
    "sum-0-2-kept": lambda x: x.sum((0, 2), keepdim=True),
    "mean-0-1": lambda x: x.mean((0, 1)),
    "max-0-2": lambda x: x.amax((0, 2)),
    "min-0-2": lambda x: x.amin((0, 2)),
    "min": lambda x: x.amin(),
    "min-1": lambda x: x.amin(1),
    "variance": lambda x: x.var(unbiased=False),
    "variance-0-2": lambda x: x.var((0, 2), unbiased=False),
    "variance-1-corrected": lambda x: x.var(1, unbiased=True),
    "log-sum-exp-1": lambda x: x.logsumexp(1),
    "log-sum-exp-0-2-kept": lambda x: x.logsumexp((0, 2), keepdim=True),
    "argmin-2": lambda x: x.argmin(2).to(x.dtype),
}


def make():
    random = np.random.RandomState(11)
    x = random.randn(4, 3, 10) * 2
    x[0, 0] = [0, 0, -0.5, 0.5, 1.5, 2.5, -1.5, 30, -30, 1e-4]
    x[1, 2, :4] = [1000, 999, 1001, -2.5]
    x = x.astype(np.float32)
    arrays = {"x": x}
    for name, function in FUNCTIONS.items():
        leaf = torch.tensor(x.astype(np.float64), requires_grad=True)
        value = function(leaf)
        weight = random.randn(*value.shape) if value.shape else np.float64(random.randn())
        arrays[f"value.{name}"] = value.detach().numpy()
        if not value.requires_grad:
            continue
        (value * torch.tensor(weight)).sum().backward()
        arrays[f"weight.{name}"] = np.asarray(weight)
        arrays[f"derivative.{name}"] = leaf.grad.numpy()
    return arrays


def main():
    arrays = make()
    if "--write" in sys.argv:
        write("torch-functions", arrays, "functions and their derivatives")
    stored, _ = read("torch-functions")
    sys.exit(set(stored) != set(arrays) or differs("torch-functions", stored, arrays))


if __name__ == "__main__":
    main()
