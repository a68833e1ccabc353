"""Layers of PyTorch in float64: what each makes of x in training and in eval mode, and the gradients.

    /usr/bin/python3 test/golden/make_torch_layers.py            checks the file against this PyTorch, writes nothing
    /usr/bin/python3 test/golden/make_torch_layers.py --write    writes it

For each case of CASES, `torch-layers` has

    <case>.x, <case>.g        an input and a weight for each number of the output, float32 (tokens: int32)
    <case>.state.<name>       the state_dict before, float32, in PyTorch's layouts
    <case>.y                  the output in training mode
    <case>.gradient.<name>    the gradient of sum(y * g), x included
    <case>.after.<name>       running statistics after that one pass
    <case>.eval               the output in eval mode after it

The layers' counterparts are in test/nn/torch-layers.test.ts, by the same names. Made by Debian's python3-torch (1.13), with RMSNorm, which
came later, written out from its definition.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from make_torch import differs, read, write
from torch import nn

torch.set_default_dtype(torch.float64)


class RMSNorm(nn.Module):
    def __init__(self, size, eps=2.0**-23):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class Position(nn.Module):
    def __init__(self, length, size):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(length, size))

    def forward(self, x):
        return x + self.weight


class Residual(nn.Module):
    def __init__(self, *body):
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x):
        return x + self.body(x)


class GlobalAverage(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


# name -> the modules, and the shape of x; ("tokens", count) for tokens.
CASES = {
    "gelu": ([nn.Linear(3, 4), nn.GELU()], [5, 3]),
    "silu": ([nn.Linear(3, 4), nn.SiLU()], [5, 3]),
    "softplus": ([nn.Linear(3, 4), nn.Softplus()], [5, 3]),
    "elu": ([nn.Linear(3, 4), nn.ELU()], [5, 3]),
    "leakyRelu": ([nn.Linear(3, 4), nn.LeakyReLU()], [5, 3]),
    "activation": ([nn.Linear(3, 4), nn.Tanh(), nn.ReLU()], [5, 3]),
    "dense-sequence": ([nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2, bias=False)], [2, 6, 3]),
    "flatten": ([nn.Flatten(), nn.Linear(12, 2)], [3, 2, 3, 2]),
    "layerNorm": ([nn.LayerNorm(6), nn.Linear(6, 2)], [4, 6]),
    "layerNorm-sequence": ([nn.LayerNorm(5, eps=0.01)], [2, 3, 5]),
    "rmsNorm": ([RMSNorm(6)], [4, 6]),
    "rmsNorm-sequence": ([RMSNorm(5, 0.1)], [2, 3, 5]),
    "groupNorm": ([nn.GroupNorm(2, 4)], [3, 4, 3, 2]),
    "groupNorm-features": ([nn.GroupNorm(3, 6, eps=0.1)], [4, 6]),
    "batchNorm": ([nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh()], [7, 3]),
    "batchNorm-sequence": ([nn.BatchNorm1d(4, momentum=0.3)], [3, 4, 5]),
    "batchNorm-images": ([nn.BatchNorm2d(3, eps=0.01)], [2, 3, 4, 2]),
    "embedding": ([nn.Embedding(7, 3), Position(5, 3), nn.LayerNorm(3)], [4, 5]),
    "residual": ([Residual(nn.LayerNorm(4), nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4)), nn.Linear(4, 2)], [3, 5, 4]),
    "residual-batchNorm": ([nn.Linear(3, 4), Residual(nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 4))], [6, 3]),
    "images": ([nn.Upsample(scale_factor=3), nn.BatchNorm2d(2), GlobalAverage(), nn.Linear(2, 3)], [4, 2, 3, 2]),
}


def make():
    arrays = {}
    for k, (name, (modules, shape)) in enumerate(CASES.items()):
        random = np.random.RandomState(k)
        net = nn.Sequential(*modules)
        with torch.no_grad():
            for key, tensor in net.state_dict().items():
                if tensor.is_floating_point():
                    values = random.randn(*tensor.shape)
                    values = (0.5 + np.abs(values) if "running_var" in key else values).astype(np.float32)
                    tensor.copy_(torch.tensor(values.astype(np.float64)))
                    arrays[f"{name}.state.{key}"] = values
        tokens = isinstance(modules[0], nn.Embedding)
        x = random.randint(0, modules[0].num_embeddings, shape).astype(np.int32) if tokens else random.randn(*shape).astype(np.float32)
        given = torch.tensor(x.astype(np.int64)) if tokens else torch.tensor(x.astype(np.float64), requires_grad=True)
        y = net(given)
        g = random.randn(*y.shape).astype(np.float32)
        (y * torch.tensor(g.astype(np.float64))).sum().backward()
        arrays |= {f"{name}.x": x, f"{name}.g": g, f"{name}.y": y.detach().numpy()}
        for key, parameter in net.named_parameters():
            arrays[f"{name}.gradient.{key}"] = parameter.grad.numpy()
        if not tokens:
            arrays[f"{name}.gradient.x"] = given.grad.numpy()
        for key, buffer in net.named_buffers():
            if buffer.is_floating_point():
                arrays[f"{name}.after.{key}"] = buffer.numpy().copy()
        net.eval()
        arrays[f"{name}.eval"] = net(given).detach().numpy()
    return arrays


def main():
    arrays = make()
    if "--write" in sys.argv:
        write("torch-layers", arrays, "layers in training and in eval mode, with their gradients")
    stored, _ = read("torch-layers")
    sys.exit(1 if set(stored) != set(arrays) or differs("torch-layers", stored, arrays) else 0)


if __name__ == "__main__":
    main()
