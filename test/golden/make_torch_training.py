"""Losses and options of training in PyTorch, float64: 12 steps of SGD on batches of 5 of 12 rows, the last of 2.

    /usr/bin/python3 test/golden/make_torch_training.py            checks the file against this PyTorch, writes nothing
    /usr/bin/python3 test/golden/make_torch_training.py --write    writes it

`torch-training` has x, y.values, y.classes, y.probabilities and the state_dict `init.*` in float32, and for each case `<case>.losses` and the
weights `<case>.final.*` at the end, in PyTorch's layouts. The cases' counterparts are in test/nn/torch-training.test.ts.
"""

import sys

import numpy as np
import torch
from make_torch import differs, read, write
from torch import nn

torch.set_default_dtype(torch.float64)
STEPS, BATCH = 12, 5
WEIGHTS = torch.tensor([0.5, 2.0, 0.25])

# name -> loss, kind of target, optimizer, what of the gradients, frozen names, batch norm between the layers.
CASES = {
    "absolute": dict(loss=nn.L1Loss(), kind="values"),
    "absolute-sum": dict(loss=nn.L1Loss(reduction="sum"), kind="values", lr=0.02),
    "huber": dict(loss=nn.HuberLoss(), kind="values"),
    "huber-half": dict(loss=nn.HuberLoss(delta=0.5, reduction="sum"), kind="values", lr=0.02),
    "weights": dict(loss=nn.CrossEntropyLoss(weight=WEIGHTS), kind="classes"),
    "weights-sum": dict(loss=nn.CrossEntropyLoss(weight=WEIGHTS, reduction="sum"), kind="classes", lr=0.02),
    "weights-probabilities": dict(loss=nn.CrossEntropyLoss(weight=WEIGHTS), kind="probabilities"),
    "clip": dict(loss=nn.MSELoss(reduction="sum"), kind="values", clip=0.7),
    "clip-above": dict(loss=nn.MSELoss(), kind="values", clip=100),
    "frozen": dict(loss=nn.MSELoss(), kind="values", frozen=["0"]),
    "frozen-bias": dict(loss=nn.MSELoss(), kind="values", frozen=["2.bias"], clip=0.2),
}


def make():
    random = np.random.RandomState(9)
    x = random.randn(12, 4).astype(np.float32)
    targets = {
        "values": random.randn(12, 3).astype(np.float32),
        "classes": random.randint(0, 3, 12).astype(np.int32),
        "probabilities": (random.multinomial(64, [1 / 3] * 3, 12) / 64).astype(np.float32),
    }
    arrays = {"x": x, **{f"y.{kind}": y for kind, y in targets.items()}}
    layers = lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    init = {name: (random.randn(*p.shape) / 2).astype(np.float32) for name, p in layers().named_parameters()}
    arrays |= {f"init.{name}": values for name, values in init.items()}
    for name, case in CASES.items():
        net = layers()
        net.load_state_dict({key: torch.tensor(values.astype(np.float64)) for key, values in init.items()})
        for key, parameter in net.named_parameters():
            parameter.requires_grad = not any(key.startswith(start) for start in case.get("frozen", []))
        trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
        optimizer = torch.optim.SGD(trained, lr=case.get("lr", 0.1), momentum=0.5)
        y = torch.tensor(targets[case["kind"]].astype(np.int64 if case["kind"] == "classes" else np.float64))
        losses = []
        for step in range(STEPS):
            rows = slice(step * BATCH % 15, step * BATCH % 15 + BATCH)
            optimizer.zero_grad()
            loss = case["loss"](net(torch.tensor(x[rows].astype(np.float64))), y[rows])
            loss.backward()
            if "clip" in case:
                nn.utils.clip_grad_norm_(trained, case["clip"])
            optimizer.step()
            losses.append(loss.item())
        arrays[f"{name}.losses"] = np.array(losses)
        arrays |= {f"{name}.final.{key}": p.detach().numpy().copy() for key, p in net.named_parameters()}
        with torch.no_grad():
            arrays[f"{name}.evaluated"] = np.array([case["loss"](net(torch.tensor(x.astype(np.float64))), y).item()])
    return arrays


def main():
    arrays = make()
    if "--write" in sys.argv:
        write("torch-training", arrays, "losses, class weights, clipping, frozen parameters: 12 steps")
    stored, _ = read("torch-training")
    sys.exit(1 if set(stored) != set(arrays) or differs("torch-training", stored, arrays) else 0)


if __name__ == "__main__":
    main()
