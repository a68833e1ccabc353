"""Networks of torchvision, exported to ONNX by PyTorch, with what PyTorch makes of some rows in float64.

    /usr/bin/python3 test/golden/make_torch_networks.py          writes narrow ones: torch-network-NAME.onnx, and torch-networks.safetensors
    /usr/bin/python3 test/golden/make_torch_networks.py FOLDER   writes the whole ones, 224 x 224, to FOLDER: NAME.onnx and NAME.safetensors

Of each network, by its name where it is one of the narrow ones,

    x         [rows, 3, size, size], float32
    y         what the network makes of it in eval(), float64
    tuned.*   of "resnet18": 5 steps of SGD (rate 0.02, momentum 0.9) on layer4 and a new head of 3 classes, what is before them in eval().
              Of it "x" [8, 3, 32, 32], "y", the head's "weight" and "bias"; "losses", the "predicted" probabilities after them, and
              "running", a variance that layer4 has learnt

Weights are drawn by a seed; running statistics too, so that normalising by them says something. "resnet18" and "shufflenet" are exported with
their BatchNormalizations (TrainingMode.PRESERVE), the others with them folded into the convolutions, as PyTorch does by default. "densenet" has
its batch fixed at 1, as files without dynamic_axes do. Made by Debian's python3-torch 1.13 and python3-torchvision 0.14.
"""

import io
import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import torch
from make_torch import HERE, write
from torch import nn
from torchvision import models
from torchvision.models.efficientnet import EfficientNet, MBConvConfig

warnings.filterwarnings("ignore")
# What is exported are float32 networks, as everybody's.
torch.set_default_dtype(torch.float32)


def squeezenet(whole):
    net = models.squeezenet1_1(num_classes=1000 if whole else 10)
    if whole:
        return net
    fire = models.squeezenet.Fire
    net.features = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        fire(16, 4, 16, 16),
        fire(32, 4, 16, 16),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        fire(32, 8, 24, 24),
    )
    net.classifier[1] = nn.Conv2d(48, 10, 1)
    return net


def resnet18(whole):
    if whole:
        return models.resnet18()
    net = models.ResNet(models.resnet.BasicBlock, [2, 2, 2, 2], num_classes=10)
    # A sixteenth of the channels.
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            part = lambda n: n if n == 3 else n // 16
            if isinstance(child, nn.Conv2d):
                setattr(module, name, nn.Conv2d(part(child.in_channels), part(child.out_channels), child.kernel_size, child.stride, child.padding, bias=False))
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.BatchNorm2d(child.num_features // 16))
    net.fc = nn.Linear(32, 10)
    return net


def efficientnet(whole):
    if whole:
        return models.efficientnet_b0()
    block = partial(MBConvConfig, width_mult=0.25, depth_mult=0.4)
    setting = [block(1, 3, 1, 32, 16, 1), block(6, 3, 2, 16, 24, 2), block(6, 5, 2, 24, 40, 2), block(6, 3, 2, 40, 80, 3)]
    return EfficientNet(setting, 0.2, num_classes=10, last_channel=64)


NETWORKS = {
    "mobilenet": lambda whole: models.mobilenet_v2()
    if whole
    else models.MobileNetV2(num_classes=10, width_mult=0.25, round_nearest=4, inverted_residual_setting=[[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 2, 2], [6, 64, 1, 2]]),
    "squeezenet": squeezenet,
    "resnet18": resnet18,
    "densenet": lambda whole: models.densenet121()
    if whole
    else models.DenseNet(growth_rate=6, block_config=(2, 3, 2), num_init_features=12, bn_size=2, num_classes=10),
    "shufflenet": lambda whole: models.shufflenet_v2_x1_0()
    if whole
    else models.ShuffleNetV2([2, 3, 2], [12, 16, 24, 32, 48], num_classes=10),
    "efficientnet": efficientnet,
}
PRESERVED = ["resnet18", "shufflenet"]


def seeded(name, whole):
    torch.manual_seed(list(NETWORKS).index(name))
    net = NETWORKS[name](whole)
    if name == "mobilenet" and not whole:
        # Its last convolution has 1280 channels whatever the width.
        last = net.features[-1][0].in_channels
        net.features[-1][0] = nn.Conv2d(last, 48, 1, bias=False)
        net.features[-1][1] = nn.BatchNorm2d(48)
        net.classifier[1] = nn.Linear(48, 10)
    for module in net.modules():
        # Those of the first blocks of "resnet18" stay equal: PyTorch then keeps one of them, and names the others by Identity.
        if isinstance(module, nn.BatchNorm2d) and not (name == "resnet18" and module.num_features == 4):
            nn.init.normal_(module.weight, 1, 0.1)
            nn.init.normal_(module.bias, 0, 0.1)
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return net.eval()


def exported(name, net, size):
    file = io.BytesIO()
    mode = torch.onnx.TrainingMode.PRESERVE if name in PRESERVED else torch.onnx.TrainingMode.EVAL
    axes = {} if name == "densenet" else {"input": {0: "batch"}, "output": {0: "batch"}}
    torch.onnx.export(net, torch.zeros(1, 3, size, size), file, input_names=["input"], output_names=["output"], dynamic_axes=axes, training=mode)
    net.eval()
    return file.getvalue()


def tuned(net):
    """Fine-tuning: what is before layer4 stays as it is, and normalises by its running statistics."""
    rng = np.random.RandomState(7)
    x = torch.tensor(rng.randn(8, 3, 32, 32).astype(np.float32)).double()
    y = torch.tensor(rng.randint(0, 3, 8))
    head = nn.Linear(32, 3).double()
    arrays = {"x": x.float(), "y": y.int(), "weight": head.weight.detach().float(), "bias": head.bias.detach().float()}
    with torch.no_grad():
        for part in head.parameters():
            part.copy_(part.float().double())
    net.fc = head
    optimizer = torch.optim.SGD([*net.layer4.parameters(), *head.parameters()], lr=0.02, momentum=0.9)
    losses = []
    for _ in range(5):
        net.eval()
        net.layer4.train()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    net.eval()
    return {**arrays, "losses": torch.tensor(losses, dtype=torch.float64), "predicted": torch.softmax(net(x), 1).detach(), "running": net.layer4[0].bn1.running_var}


def made(name, whole):
    net = seeded(name, whole)
    size = 224 if whole else 32
    file = exported(name, net, size)
    net = net.double()
    x = torch.tensor(np.random.RandomState(1).randn(1 if whole else 2, 3, size, size).astype(np.float32)).double()
    with torch.no_grad():
        arrays = {"x": x.float(), "y": net(x)}
    if name == "resnet18" and not whole:
        arrays |= {f"tuned.{key}": value for key, value in tuned(net).items()}
    return file, {key: value.numpy() for key, value in arrays.items()}


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    narrow = {}
    for name in NETWORKS:
        file, arrays = made(name, folder is not None)
        print(f"{name}: {len(file)} bytes, y of norm {np.linalg.norm(arrays['y']):.3g}")
        if folder is None:
            (HERE / f"torch-network-{name}.onnx").write_bytes(file)
            narrow |= {f"{name}.{key}": values for key, values in arrays.items()}
        else:
            (folder / f"{name}.onnx").write_bytes(file)
            write(str(folder / name), arrays, "torchvision")
    if folder is None:
        write("torch-networks", narrow, "torchvision")
