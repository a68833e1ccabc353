"""Golden runs of PyTorch in float64: each loss with each optimizer, 60 steps, and the rest of what training does.

    /usr/bin/python3 test/golden/make_torch.py            checks the files against this PyTorch, writes nothing
    /usr/bin/python3 test/golden/make_torch.py --write    writes them

    torch-losses      x, y, first weights, and for each loss its value and the gradients of all weights
    torch-optimizers  for each loss and each optimizer: losses of 60 full-batch steps, final weights; and how far
                      PyTorch's own float32 goes astray: `f32_losses`, and `f32_final_errors`, the largest error of each
                      final tensor over its largest value, in the order of the Sequential
    torch-batches     17 rows in batches of 5 without shuffling, Adam with a learning rate that halves, weights with an L2
                      penalty in the loss: losses of 60 steps, final weights
    torch-schedules   learning rates of CosineAnnealingLR and StepLR

`torch-adam-ce` and `torch-momentum-mse-sum` came with the project; they are checked here too. Weights are [inputs, units],
and `init.*`, x and y float32, so that every engine begins with the same numbers; all arithmetic is float64.
Debian's python3-torch made them (PyTorch 1.13). Sums in another order change the last digits only: the check allows 1e-9, and what is float32
is not checked.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
TYPES = {"F64": np.float64, "F32": np.float32, "I32": np.int32}
STEPS = 60
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

OPTIMIZERS = {
    "sgd": (torch.optim.SGD, dict(lr=0.1)),
    "momentum": (torch.optim.SGD, dict(lr=0.05, momentum=0.9)),
    "nesterov-decay": (torch.optim.SGD, dict(lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.01)),
    "adam": (torch.optim.Adam, dict(lr=0.01)),
    "adamw": (torch.optim.AdamW, dict(lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
    "rmsprop": (torch.optim.RMSprop, dict(lr=0.01)),
    "rmsprop-momentum": (torch.optim.RMSprop, dict(lr=0.003, alpha=0.9, eps=1e-6, momentum=0.7)),
}
LOSSES = {
    "mse": (torch.nn.MSELoss(), "values"),
    "mse-sum": (torch.nn.MSELoss(reduction="sum"), "values"),
    "ce": (torch.nn.CrossEntropyLoss(), "classes"),
    "ce-sum": (torch.nn.CrossEntropyLoss(reduction="sum"), "classes"),
    "ce-probabilities": (torch.nn.CrossEntropyLoss(), "probabilities"),
    "bce": (torch.nn.BCEWithLogitsLoss(), "probabilities"),
    "bce-sum": (torch.nn.BCEWithLogitsLoss(reduction="sum"), "probabilities"),
}
MODULES = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid}


def read(name):
    """name -> array, of test/golden/<name>.safetensors; and its metadata."""
    file = (HERE / f"{name}.safetensors").read_bytes()
    start = 8 + struct.unpack("<Q", file[:8])[0]
    header = json.loads(file[8:start])
    metadata = header.pop("__metadata__", {})
    arrays = {
        key: np.frombuffer(file[start:][slice(*entry["data_offsets"])], TYPES[entry["dtype"]]).reshape(entry["shape"])
        for key, entry in header.items()
    }
    return arrays, metadata


def write(name, arrays, note):
    header, data = {"__metadata__": {"note": note}}, b""
    # Widest numbers first, so that each array is aligned.
    for key, array in sorted(arrays.items(), key=lambda item: -item[1].itemsize):
        dtype = next(short for short, numpy in TYPES.items() if numpy == array.dtype)
        header[key] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += np.ascontiguousarray(array).tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (HERE / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def network(sizes, activations, init):
    """The Sequential of these sizes, its first weights those of `init`, [inputs, units] by name."""
    modules = []
    for i, (inputs, units) in enumerate(zip(sizes, sizes[1:])):
        modules.append(torch.nn.Linear(inputs, units))
        if i < len(activations):
            modules.append(MODULES[activations[i]]())
    net = torch.nn.Sequential(*modules)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(torch.tensor(init[name].T.astype(np.float64)))
    return net


def stored(net, prefix, pick=lambda parameter: parameter):
    # .T of a bias is itself.
    return {f"{prefix}.{name}": pick(p).detach().numpy().T.copy() for name, p in net.named_parameters()}


def train(net, loss, optimizer, batches, steps=STEPS, penalty=0.0, scheduler=None):
    losses = []
    for step in range(steps):
        x, y = batches[step % len(batches)]
        optimizer.zero_grad()
        value = loss(net(x), y)
        if penalty:
            value = value + penalty / 2 * sum((p**2).sum() for name, p in net.named_parameters() if "weight" in name)
        value.backward()
        optimizer.step()
        if scheduler:
            scheduler.step()
        losses.append(value.item())
    return np.array(losses)


def first_weights(random, sizes):
    init = {}
    for i, (inputs, units) in enumerate(zip(sizes, sizes[1:])):
        init[f"{2 * i}.weight"] = (random.randn(inputs, units) / np.sqrt(inputs)).astype(np.float32)
        init[f"{2 * i}.bias"] = (random.randn(units) / 10).astype(np.float32)
    return init


def problem(seed, rows, sizes):
    random = np.random.RandomState(seed)
    init = first_weights(random, sizes)
    x = random.randn(rows, sizes[0]).astype(np.float32)
    values = random.randn(rows, sizes[-1]).astype(np.float32)
    classes = random.randint(0, sizes[-1], rows).astype(np.int32)
    # Multiples of 1/64 that sum to 1 exactly.
    probabilities = (random.multinomial(64, [1 / sizes[-1]] * sizes[-1], rows) / 64).astype(np.float32)
    return init, x, dict(values=values, classes=classes, probabilities=probabilities)


def tensors(x, y):
    return torch.tensor(x.astype(np.float64)), torch.tensor(y.astype(np.int64 if y.dtype == np.int32 else np.float64))


def make():
    """name -> (arrays, note)."""
    files = {}
    sizes, activations = [4, 6, 5, 3], ["relu", "tanh"]
    init, x, targets = problem(0, 16, sizes)
    given = {"x": x, **{f"y.{kind}": y for kind, y in targets.items()}, **{f"init.{name}": v for name, v in init.items()}}
    at_first, optimizers = dict(given), dict(given)
    for loss_name, (loss, kind) in LOSSES.items():
        batch = tensors(x, targets[kind])
        net = network(sizes, activations, init)
        value = loss(net(batch[0]), batch[1])
        value.backward()
        at_first[f"{loss_name}.loss"] = np.array([value.item()])
        at_first |= stored(net, f"{loss_name}.gradient", lambda parameter: parameter.grad)
        for name, (optimizer, options) in OPTIMIZERS.items():
            net = network(sizes, activations, init)
            if loss_name.endswith("-sum"):
                options = {**options, "lr": options["lr"] / 16}
            optimizers[f"{loss_name}.{name}.losses"] = train(net, loss, optimizer(net.parameters(), **options), [batch])
            optimizers |= stored(net, f"{loss_name}.{name}.final")
            single = network(sizes, activations, init).float()
            in_single = [part.float() if part.is_floating_point() else part for part in batch]
            losses = train(single, loss, optimizer(single.parameters(), **options), [in_single])
            optimizers[f"{loss_name}.{name}.f32_losses"] = losses.astype(np.float32)
            pairs = [(a.detach().numpy(), b.detach().numpy()) for a, b in zip(single.parameters(), net.parameters())]
            errors = [np.abs(a - b).max() / np.abs(b).max() for a, b in pairs]
            optimizers[f"{loss_name}.{name}.f32_final_errors"] = np.array(errors)
    files["torch-losses"] = at_first, "4-6-5-3, relu and tanh, 16 rows: loss and gradients at the first weights"
    files["torch-optimizers"] = optimizers, "the same network, 60 full-batch steps: <loss>.<optimizer>.*"

    sizes, activations = [3, 8, 4], ["sigmoid"]
    init, x, targets = problem(1, 17, sizes)
    net = network(sizes, activations, init)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 20, 0.5)
    batches = [tensors(x[i : i + 5], targets["classes"][i : i + 5]) for i in range(0, 17, 5)]
    losses = train(net, torch.nn.CrossEntropyLoss(), optimizer, batches, penalty=0.01, scheduler=scheduler)
    arrays = {"x": x, "y": targets["classes"], **{f"init.{name}": v for name, v in init.items()}, "losses": losses}
    files["torch-batches"] = arrays | stored(net, "final"), "3-8-4, sigmoid, batches of 5 of 17 rows, l2 0.01, StepLR"

    def rates(schedule, steps):
        parameter = torch.nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([parameter], lr=0.1)
        scheduler = schedule(optimizer)
        found = []
        for _ in range(steps):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return np.array(found)

    lr = torch.optim.lr_scheduler
    files["torch-schedules"] = {
        "cosine": rates(lambda optimizer: lr.CosineAnnealingLR(optimizer, 50, 0.01), 51),
        "step": rates(lambda optimizer: lr.StepLR(optimizer, 7, 0.3), 51),
    }, "rates from 0.1: CosineAnnealingLR(50, 0.01), StepLR(7, 0.3)"
    return files


def given_runs():
    """The two that came with the project, run again: name -> (stored arrays, made again)."""
    for name in ("torch-adam-ce", "torch-momentum-mse-sum"):
        arrays, metadata = read(name)
        case = json.loads(metadata["case"])
        init = {key.removeprefix("init."): value for key, value in arrays.items() if key.startswith("init.")}
        net = network(case["sizes"], case["acts"], init)
        kind, options = case["opt"]
        optimizer = getattr(torch.optim, kind)(net.parameters(), **options)
        batch = tensors(arrays["x"], arrays["y"])
        made = {"losses": train(net, LOSSES[case["loss"]][0], optimizer, [batch])}
        outputs = net(batch[0]).detach()
        made["prediction"] = (outputs.softmax(1) if case["loss"] == "ce" else outputs).numpy()
        yield name, arrays, made | stored(net, "final")


def differs(name, arrays, made):
    worst = 0.0
    for key, value in made.items():
        if "f32" in key:
            continue
        scale = np.abs(arrays[key]).max()
        worst = max(worst, np.abs(value - arrays[key]).max() / (scale if scale > 0 else 1))
    print(f"{name}: {'ok' if worst <= 1e-9 else 'DIFFERS'}, off by {worst:.3g} at most")
    return not worst <= 1e-9


def main():
    bad = any([differs(*run) for run in given_runs()])
    for name, (arrays, note) in make().items():
        if "--write" in sys.argv:
            write(name, arrays, note)
        stored_arrays, _ = read(name)
        bad |= set(stored_arrays) != set(arrays) or differs(name, stored_arrays, arrays)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
