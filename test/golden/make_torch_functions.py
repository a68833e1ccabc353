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



def image(x):
    return x.reshape(2, 2, 5, 6)


def weight(x, count, *shape):
    """A kernel of `count` numbers, functions of x too."""
    return (0.3 * x.reshape(-1)[10 : 10 + count]).reshape(shape)




def places(count, below):
    """Indices with some more often than others."""
    return torch.tensor([(7 * j * j + 3) % below for j in range(count)])


def rnn(x):
    """An RNN over the first axis; what each step gives, and the last state."""
    w, u, h, ys = weight(x, 30, 10, 3), weight(x, 9, 3, 3), x[0, :, 7:], []
    for t in x.clamp(-2, 2):
        h = torch.tanh(t @ w + h @ u.T)
        ys.append(h * t[:, :3])
    return torch.stack([*ys, h])


def lstm_reverse(x):
    """An LSTM from the last element to the first, whose gates share their weights but for a factor."""
    w, u = weight(x, 30, 10, 3), weight(x, 9, 3, 3)
    h, c, ys = x[0, :, :3].tanh(), x[1, :, 4:7].tanh(), []
    for t in x.clamp(-2, 2).flip(0):
        gate = t @ w + h @ u
        c = torch.sigmoid(gate) * c + torch.sigmoid(2 * gate) * torch.tanh(gate)
        h = torch.sigmoid(-gate) * torch.tanh(c)
        ys.append(h)
    return torch.cat([torch.stack(ys).flip(0), c[None]])


FUNCTIONS = {
    "log1p": lambda x: torch.log1p(x.abs()),
    "expm1": lambda x: torch.expm1(x.clamp(max=20)),
    "erf": torch.erf,
    "sin": torch.sin,
    "cos": lambda x: torch.cos(x * 3),
    "pow": lambda x: (x.abs() + 0.1) ** x.clamp(-3, 3),
    "pow-2": lambda x: x**2,
    "pow-3": lambda x: x**3,
    "pow-minus-2": lambda x: (x + 0.25) ** -2,
    "pow-half": lambda x: x.relu() ** 1.5,
    "pow-of-number": lambda x: 2 ** x.clamp(max=20),
    "pow-of-zero": lambda x: torch.pow(x.detach() * 0, x.abs()),
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
    "prod": lambda x: (x / 2).prod(),
    "prod-1": lambda x: x.prod(1),
    "prod-2-kept": lambda x: x[:, :, :4].prod(2, keepdim=True),
    "variance": lambda x: x.var(unbiased=False),
    "variance-0-2": lambda x: x.var((0, 2), unbiased=False),
    "variance-1-corrected": lambda x: x.var(1, unbiased=True),
    "log-sum-exp-1": lambda x: x.logsumexp(1),
    "log-sum-exp-0-2-kept": lambda x: x.logsumexp((0, 2), keepdim=True),
    "slice": lambda x: x[1:, :, 1:9:3],
    "flip": lambda x: x.flip(2)[:, :, ::2],
    "pad": lambda x: F.pad(x, (2, 1, 0, 3), value=0.5) ** 2,
    "concat": lambda x: torch.cat([x, x[:2] ** 2, x.tanh()], 0),
    "concat-2": lambda x: torch.cat([x[:, :, :3] ** 2, x], 2),
    "stack": lambda x: torch.stack([x, x**2], 1),
    "cumsum": lambda x: x.cumsum(2),
    "cumsum-long": lambda x: x.reshape(-1).cumsum(0),
    "conv1d": lambda x: F.conv1d(x, 0.3 * x[:2, :, :3], padding=1),
    "conv1d-apart": lambda x: F.conv1d(x, 0.3 * x[:2, :, :3], stride=2, padding=3, dilation=2),
    "conv1d-groups": lambda x: F.conv1d(x, weight(x, 12, 6, 1, 2), groups=3),
    "conv2d": lambda x: F.conv2d(image(x), weight(x, 36, 3, 2, 3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2)),
    "conv2d-same": lambda x: F.conv2d(image(x), weight(x, 32, 2, 2, 2, 4), padding="same"),
    "conv2d-beyond": lambda x: F.conv2d(image(x), weight(x, 8, 2, 2, 2, 1), stride=3),
    "conv2d-depthwise": lambda x: F.conv2d(image(x), weight(x, 36, 4, 1, 3, 3), padding=1, groups=2),
    "conv-transpose1d": lambda x: F.conv_transpose1d(x, weight(x, 24, 3, 2, 4), stride=3, padding=1, output_padding=2),
    "conv-transpose2d": lambda x: F.conv_transpose2d(
        image(x), weight(x, 24, 2, 2, 3, 2), stride=2, padding=(1, 0), dilation=(1, 2), groups=2
    ),
    "max-pool1d": lambda x: F.max_pool1d(x, 3, 2, 1),
    "max-pool2d": lambda x: F.max_pool2d(image(x), (3, 2)),
    "max-pool2d-of-ties": lambda x: F.max_pool2d(image(x).round().clamp(-1, 1) * image(x).detach() ** 2, 3, 1, 1),
    "avg-pool2d": lambda x: F.avg_pool2d(image(x), 3, 2, 1),
    "avg-pool2d-own": lambda x: F.avg_pool2d(image(x), 3, 2, 1, count_include_pad=False),
    "argmin-2": lambda x: x.argmin(2).to(x.dtype),
    "take-0": lambda x: x.index_select(0, places(6, 4)).square(),
    "take-2": lambda x: x.index_select(2, places(15, 10)).square(),
    "embedding": lambda x: F.embedding(places(2 * 7, 4).reshape(2, 7), x.reshape(4, 30)).square(),
    "gather-1": lambda x: torch.gather(x, 1, places(4 * 5 * 10, 3).reshape(4, 5, 10)).square(),
    "take-along-2": lambda x: torch.take_along_dim(x, places(4 * 12, 10).reshape(4, 1, 12), 2).square(),
    "index-add-0": lambda x: x.index_add(0, places(7, 4), x.index_select(0, 3 - places(7, 4)).square()),
    "scan-rnn": rnn,
    "scan-lstm-reverse": lstm_reverse,
    "matmul-batches": lambda x: x @ x.transpose(1, 2),
    "matmul-broadcast": lambda x: x.reshape(4, 1, 3, 10) @ (0.3 * x[:2].reshape(2, 10, 3)),
    "einsum-attention": lambda x: torch.einsum("bhqd,bhkd->bhqk", x.reshape(2, 2, 6, 5), 0.3 * x.reshape(2, 2, 6, 5)),
    "einsum-permuted": lambda x: torch.einsum("abc,dbc->bad", x, 0.3 * x[:2]),
    "einsum-two-terms": lambda x: torch.einsum("abc,cdb->da", x, weight(x, 60, 10, 2, 3)),
    "einsum-of-three": lambda x: torch.einsum("abc,bc,dc->ad", x, x[0], 0.3 * x[1]),
    "einsum-outer": lambda x: torch.einsum("ab,c->bac", x[0], x[1, 0]),
    "einsum-elements": lambda x: torch.einsum("abc,cab->b", x, x.permute(2, 0, 1)),
    "einsum-sum": lambda x: torch.einsum("abc->ca", x),
    "einsum-diagonal": lambda x: torch.einsum("abb,cb->ac", x[:, :, :3], x[:, :, 4]),
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
        factors = random.randn(*value.shape) if value.shape else np.float64(random.randn())
        arrays[f"value.{name}"] = value.detach().numpy()
        if not value.requires_grad:
            continue
        (value * torch.tensor(factors)).sum().backward()
        arrays[f"weight.{name}"] = np.asarray(factors)
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
