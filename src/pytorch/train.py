#!/usr/bin/env python3
"""Goes on in PyTorch with a training that wgrad began: the same network, loss, optimizer, learning rates and order of batches.

    python3 train.py                              the fit that was asked for, or the rest of it
    python3 train.py --epochs 20                  as many epochs in its place
    torchrun --nproc_per_node 2 train.py          the same batches, each split over so many processes

It reads data.safetensors and checkpoint.safetensors, which lie beside it, and writes the checkpoint again after every epoch: a run that was
broken off goes on from there when it is started again, and `resume` of a wgrad trainer of the same network takes it back. Losses are those
of the whole batch, before its update, however many processes there are; --history writes all of them down as CSV.

Sums are made in another order than wgrad's, so that losses agree to about six digits at first, not to the bit. What dropout sets to 0 comes of
PyTorch's own generator: with dropout the curve is alike, and not the same. PyTorch from 1.13, and NumPy.
"""

import argparse
import itertools
import json
import math
import os
import struct
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FOLDER = Path(__file__).resolve().parent
# As torchrun sets them.
WORLD, RANK, LOCAL_RANK = (int(os.environ.get(name, given)) for name, given in (("WORLD_SIZE", 1), ("RANK", 0), ("LOCAL_RANK", 0)))
# How many rows of the batch this process has.
SHARE = {"rows": 0}


# <written>
# </written>


def order(epoch):
    """The rows of one batch after another, from `epoch` on: NumPy's permutations of one generator, the last batch of an epoch what is left."""
    random = np.random.RandomState(SEED)
    shuffles = SHUFFLE and BATCH < ROWS
    for _ in range(epoch if shuffles else 0):
        random.permutation(ROWS)
    while True:
        rows = random.permutation(ROWS) if shuffles else np.arange(ROWS)
        for begin in range(0, ROWS, BATCH):
            yield rows[begin : begin + BATCH]


def share_of_loss(net, data, rows, device):
    """What this process has of the loss of a batch: those of all processes add up to it."""
    own = rows[RANK::WORLD]
    SHARE["rows"] = len(own)
    # Of a batch that is smaller than the number of processes some have no row: they go along with one that counts nothing.
    taken = own if len(own) > 0 else rows[:1]
    x, y = (torch.from_numpy(data[name][taken]).to(device) for name in ("x", "y"))
    outputs = net(x.long() if TOKENS else x).reshape(-1, UNITS)
    each = terms(outputs, y.reshape(-1).long() if CLASSES else y.reshape(-1, UNITS)).reshape(len(taken), -1)
    if "weights" in data:
        each = each * torch.from_numpy(data["weights"][taken]).to(device)[:, None]
    if MEAN and CLASSES and CLASS_WEIGHTS:
        divisor = max(np.float32(CLASS_WEIGHTS)[data["y"][rows]].sum().item(), 2.0**-100)
    else:
        divisor = len(rows) * POSITIONS * ELEMENTS if MEAN else 1
    share = each[: len(own)].sum() / divisor
    for parameter, l2 in penalised(net):
        share = share + parameter.square().sum() * (l2 / 2 / WORLD)
    return share


def penalised(net):
    parameters = dict(getattr(net, "module", net).named_parameters()) if L2 else {}
    return [(parameters[name], l2) for name, l2 in L2.items()]


def read(path):
    """name -> array of a safetensors file, and its metadata."""
    file = np.asarray(np.memmap(path, mode="r"))
    start = 8 + struct.unpack("<Q", file[:8].tobytes())[0]
    header = json.loads(file[8:start].tobytes())
    metadata = header.pop("__metadata__", {})
    types = {"F32": "<f4", "I32": "<i4"}
    arrays = {}
    for name, entry in header.items():
        begin, end = (start + offset for offset in entry["data_offsets"])
        arrays[name] = file[begin:end].view(types[entry["dtype"]]).reshape(entry["shape"])
    return arrays, metadata


def write(path, arrays, metadata):
    """Writes one of float32 arrays, in place of what was there once it is whole."""
    header, begin = {"__metadata__": metadata}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [begin, begin + array.nbytes]}
        begin += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    half = Path(f"{path}.half")
    with open(half, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            file.write(np.ascontiguousarray(array, "<f4").tobytes())
    os.replace(half, path)


def turned(name, array):
    """Of a dense layer wgrad's checkpoints have the transpose of PyTorch's weight."""
    return array.T if name in TURNED else array


def held(net, optimizer):
    """Weights, running statistics and the optimizer's state, as checkpoints call them -> whose it is in the network, and the tensor."""
    named = {name: (name, tensor) for name, tensor in net.state_dict(keep_vars=True).items()}
    for slot, theirs in SLOTS.items():
        for name, parameter in net.named_parameters():
            if parameter.requires_grad:
                state = optimizer.state[parameter]
                if theirs not in state:
                    state[theirs] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
                named[f"{slot}.{name}"] = (name, state[theirs])
    return named


@torch.no_grad()
def restore(net, optimizer, path):
    """Takes over a checkpoint; how many steps there were, and the place in its fit or the order of its batches."""
    arrays, metadata = read(path)
    if metadata.get("format") != "wgrad checkpoint 1" or metadata.get("optimizer") != OPTIMIZER:
        sys.exit(f"train.py: {path} is no checkpoint of wgrad with the optimizer {OPTIMIZER}")
    steps = int(metadata["steps"])
    seen = json.loads(metadata.get("epochs", "{}"))
    if seen.get("stopping") or seen.get("plateau") or seen.get("factors"):
        sys.exit(f"train.py: {path} was taken in a fit with earlyStopping or reduceOnPlateau, which go on in wgrad only")
    tensors = held(net, optimizer)
    if set(arrays) != set(tensors):
        sys.exit(f"train.py: {path} is of another network: it has {sorted(arrays)}, and not {sorted(tensors)}")
    for key, (name, tensor) in tensors.items():
        array = turned(name, arrays[key])
        if array.shape != tensor.shape:
            sys.exit(f"train.py: {path} is of another network: its {key} is {array.shape}, and not {tuple(tensor.shape)}")
        tensor.copy_(torch.from_numpy(array.copy()))
    if OPTIMIZER != "sgd":
        for parameter in net.parameters():
            if parameter.requires_grad:
                optimizer.state[parameter]["step"] = torch.tensor(float(steps))
    mine = {"rows": ROWS, "batchSize": BATCH, "shuffle": SHUFFLE, "seed": SEED}
    place, last = (json.loads(metadata.get(name, "null")) for name in ("fit", "order"))
    same = lambda known: all(known[name] == value for name, value in mine.items())
    if place and not same(place):
        sys.exit(f"train.py: {path} was taken in a fit of {place}, and this one is of {mine}")
    epoch = place["epoch"] if place else last["epoch"] if last and same(last) else 0
    return steps, place["position"] if place else 0, {**mine, "epoch": epoch}, seen


def save(net, optimizer, path, before, position, total, fit, seen):
    per_epoch = math.ceil(ROWS / BATCH)
    metadata = {"format": "wgrad checkpoint 1", "optimizer": OPTIMIZER, "steps": str(before + position)}
    if position < total:
        metadata["fit"] = json.dumps({"position": position, **fit})
        metadata["epochs"] = json.dumps({**seen, "stopping": None, "plateau": None, "factors": []})
    else:
        metadata["order"] = json.dumps({**fit, "epoch": fit["epoch"] + math.ceil(position / per_epoch)})
    tensors = held(net, optimizer)
    write(path, {key: turned(name, tensor.detach().cpu().numpy()) for key, (name, tensor) in tensors.items()}, metadata)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=int, help="of the fit, those that are done included")
    length.add_argument("--steps", type=int, help="of the fit, those that are done included")
    parser.add_argument("--until", type=int, help="stop after this step of the fit, to go on later")
    parser.add_argument("--checkpoint", type=Path, default=FOLDER / "checkpoint.safetensors", help="read, and written again")
    parser.add_argument("--data", type=Path, default=FOLDER / "data.safetensors")
    parser.add_argument("--history", type=Path, help="where the losses go, as CSV, behind those that are there")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    asked = parser.parse_args()
    device = torch.device(asked.device, LOCAL_RANK) if asked.device == "cuda" else torch.device(asked.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if WORLD > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")

    data, _ = read(asked.data)
    per_epoch = math.ceil(ROWS / BATCH)
    total = asked.epochs * per_epoch if asked.epochs else asked.steps or STEPS
    net = network().to(device).train()
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name not in FROZEN)
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    optimizer = make_optimizer(trained)
    steps, first, fit, seen = restore(net, optimizer, asked.checkpoint)
    before = steps - first
    until = min(total, asked.until or total)
    if first >= until:
        sys.exit(f"train.py: the fit stands at step {first} already, of {until}; ask for more with --epochs")
    both = nn.parallel.DistributedDataParallel(net, broadcast_buffers=False) if WORLD > 1 else net

    history = open(asked.history, "a") if asked.history and RANK == 0 else None
    if history and history.tell() == 0:
        history.write("step,loss\n")
    seen = {"seenTo": 0, "lossSum": 0, "rows": 0, **seen}
    shares, begin = [], first
    for step, rows in zip(range(first, until), itertools.islice(order(fit["epoch"]), first, None)):
        # Of dropout, if there is any: by the step, so that a run that was broken off goes on with the same masks.
        torch.manual_seed((before + step) * WORLD + RANK)
        for group in optimizer.param_groups:
            group["lr"] = rate(before + step)
        optimizer.zero_grad()
        share = share_of_loss(both, data, rows, device)
        # Gradients of all processes are averaged, and the shares are to be summed up.
        (share * WORLD).backward()
        if CLIP_NORM:
            nn.utils.clip_grad_norm_(trained, CLIP_NORM)
        optimizer.step()
        shares.append(share.detach())
        if (step + 1) % per_epoch and step + 1 < until:
            continue

        # Once an epoch the losses are asked for, and all is saved.
        losses = torch.stack(shares)
        if WORLD > 1:
            torch.distributed.all_reduce(losses)
        for at, loss in enumerate(losses.tolist(), begin):
            if not math.isfinite(loss):
                sys.exit(f"train.py: the loss of step {at} is {loss}; the checkpoint is as it was before. Lower the learning rate, or clip")
            if at % per_epoch == 0:
                seen.update(lossSum=0, rows=0)
            count = min(BATCH, ROWS - at % per_epoch * BATCH)
            seen.update(lossSum=seen["lossSum"] + loss * count, rows=seen["rows"] + count)
            if history:
                history.write(f"{at},{loss}\n")
        shares, begin = [], step + 1
        if RANK == 0:
            if history:
                history.flush()
            save(net, optimizer, asked.checkpoint, before, step + 1, total, fit, seen)
            print(f"epoch {step // per_epoch}, step {step + 1}: loss {seen['lossSum'] / seen['rows']:.6g}, rate {rate(before + step):.6g}", flush=True)
    if history:
        history.close()


if __name__ == "__main__":
    main()
