"""NumPy and PyTorch, one a process: `python3 peers.py numpy | torch-cpu | torch-cuda-eager | torch-cuda-graph`.

Reads a request a line and answers each with a line, both JSON: {"call": "open"}, {"call": "prepare", "task", "folder",
"arrays"}, {"call": "run", "steps"}, {"call": "row", "row"}. The arrays of a task lie in the folder, one raw file each.
"""

import json
import math
import os
import sys
import time

LAYERS = 3
RATE, BETA1, BETA2, EPSILON = 0.001, 0.9, 0.999, 1e-8
PENALTY = MOONS_RATE = 0.01


class NumPy:
    def __init__(self):
        import numpy

        self.np = numpy

    def says(self):
        threads = os.environ.get("OMP_NUM_THREADS", os.cpu_count())
        return f"NumPy {self.np.__version__}, {threads} threads"

    def load(self, path, shape, dtype):
        return self.np.fromfile(path, dtype).reshape(shape)

    def prepare(self, task, data):
        self.task = task
        self.data = data
        self.taken = 0
        kind = task["kind"]
        if kind == "moons":
            data["classes"] = self.np.eye(2, dtype="float32")[data["y"]]
        if kind == "classifier":
            self.names = [f"{letter}{layer + 1}" for layer in range(LAYERS) for letter in "wb"]
            self.m = {name: self.np.zeros_like(data[name]) for name in self.names}
            self.v = {name: self.np.zeros_like(data[name]) for name in self.names}
        if kind == "matmul":
            data["c"] = self.np.empty_like(data["a"])
        self.step = getattr(self, kind.replace("-", "_"))

    def run(self, steps):
        every = 1000 if self.task["kind"] == "moons" else 1
        losses = []
        for i in range(steps):
            loss = self.step(i % every == 0)
            if i % every == 0 and loss is not None:
                losses.append(float(loss))
        return losses

    def row(self, row):
        return self.data["c"][row].tolist()

    def two_layer(self, _):
        np, d, rate = self.np, self.data, self.task["rate"]
        h = d["x"] @ d["w1"]
        h_relu = np.maximum(h, 0)
        residue = h_relu @ d["w2"] - d["y"]
        loss = np.square(residue).sum()
        grad_y = 2 * residue
        grad_w2 = h_relu.T @ grad_y
        grad_h = grad_y @ d["w2"].T
        grad_h[h < 0] = 0
        grad_w1 = d["x"].T @ grad_h
        d["w1"] -= rate * grad_w1
        d["w2"] -= rate * grad_w2
        return loss

    def moons(self, wants_loss):
        np, d = self.np, self.data
        a = np.tanh(d["X"] @ d["W1"] + d["b1"])
        scores = a @ d["W2"] + d["b2"]
        scores -= scores.max(axis=1, keepdims=True)
        exps = np.exp(scores)
        p = exps / exps.sum(axis=1, keepdims=True)
        loss = None
        if wants_loss:
            squares = np.square(d["W1"]).sum() + np.square(d["W2"]).sum()
            loss = (PENALTY / 2 * squares - (np.log(p) * d["classes"]).sum()) / 200
        delta = p - d["classes"]
        dz = (delta @ d["W2"].T) * (1 - np.square(a))
        gradients = {
            "W1": d["X"].T @ dz + PENALTY * d["W1"],
            "b1": dz.sum(axis=0, keepdims=True),
            "W2": a.T @ delta + PENALTY * d["W2"],
            "b2": delta.sum(axis=0, keepdims=True),
        }
        for name, gradient in gradients.items():
            d[name] -= MOONS_RATE * gradient
        return loss

    def classifier(self, _):
        np, d = self.np, self.data
        rows = len(d["y"])
        kept = [d["x"]]
        for layer in range(1, LAYERS + 1):
            h = kept[-1] @ d[f"w{layer}"] + d[f"b{layer}"]
            kept.append(np.maximum(h, 0) if layer < LAYERS else h)
        scores = kept[-1] - kept[-1].max(axis=1, keepdims=True)
        exps = np.exp(scores)
        sums = exps.sum(axis=1, keepdims=True)
        every = np.arange(rows)
        loss = (np.log(sums[:, 0]) - scores[every, d["y"]]).mean()
        delta = exps / sums
        delta[every, d["y"]] -= 1
        delta /= rows
        gradients = {}
        for layer in range(LAYERS, 0, -1):
            gradients[f"w{layer}"] = kept[layer - 1].T @ delta
            gradients[f"b{layer}"] = delta.sum(axis=0)
            if layer > 1:
                delta = (delta @ d[f"w{layer}"].T) * (kept[layer - 1] > 0)
        self.taken += 1
        step_size = RATE / (1 - BETA1**self.taken)
        inverse_root = 1 / math.sqrt(1 - BETA2**self.taken)
        for name in self.names:
            g, m, v = gradients[name], self.m[name], self.v[name]
            m *= BETA1
            m += (1 - BETA1) * g
            v *= BETA2
            v += (1 - BETA2) * np.square(g)
            d[name] -= step_size * m / (np.sqrt(v) * inverse_root + EPSILON)
        return loss

    def matmul(self, _):
        self.np.matmul(self.data["a"], self.data["b"], out=self.data["c"])


class Torch:
    history_length = 1 << 20

    def __init__(self, device, captured):
        import torch

        self.torch = torch
        self.device = device
        self.captured = captured
        if device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("PyTorch finds no CUDA device")
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.set_float32_matmul_precision("highest")

    def says(self):
        torch = self.torch
        if self.device == "cpu":
            return f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"
        return f"PyTorch {torch.__version__}, {torch.cuda.get_device_name()}, TF32 off"

    def load(self, path, shape, dtype):
        torch = self.torch
        with open(path, "rb") as file:
            values = torch.frombuffer(bytearray(file.read()), dtype=getattr(torch, dtype))
        return values.reshape(shape).to(self.device)

    def prepare(self, task, data):
        torch = self.torch
        self.task = task
        self.data = data
        kind = task["kind"]
        self.graph = self.optimizer = None
        self.history = torch.zeros(self.history_length, device=self.device)
        self.index = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.weights = {"two-layer": ["w1", "w2"], "moons": ["W1", "b1", "W2", "b2"]}.get(kind, [])
        if kind == "moons":
            data["classes"] = torch.nn.functional.one_hot(data["y"].long(), 2).float()
        if kind == "classifier":
            data["y"] = data["y"].long()
            self.weights = [f"{letter}{layer + 1}" for layer in range(LAYERS) for letter in "wb"]
            for name in self.weights:
                data[name].requires_grad_()
            cuda = {"fused": True, "capturable": self.captured} if self.device == "cuda" else {}
            self.optimizer = torch.optim.Adam([data[name] for name in self.weights], lr=RATE, **cuda)
        if kind == "matmul":
            data["c"] = torch.empty_like(data["a"])
        self.step = getattr(self, kind.replace("-", "_"))
        if self.captured:
            self.capture()

    def capture(self):
        torch = self.torch
        start = {name: self.data[name].detach().clone() for name in self.weights}
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(side)
        if self.optimizer:
            self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step()
        with torch.no_grad():
            for name, values in start.items():
                self.data[name].copy_(values)
            if self.optimizer:
                for state in self.optimizer.state.values():
                    for value in state.values():
                        value.zero_()
        self.graph = graph

    def run(self, steps):
        self.index.zero_()
        kind = self.task["kind"]
        losses = []
        step = self.graph.replay if self.graph else self.step
        for i in range(steps):
            if kind == "moons" and i % 1000 == 0:
                losses.append(self.moons_loss())
            step()
        if self.device == "cuda":
            self.torch.cuda.synchronize()
        if kind == "moons":
            return self.torch.stack(losses).tolist()
        return [] if kind == "matmul" else self.history[:steps].tolist()

    def row(self, row):
        return self.data["c"][row].tolist()

    def record(self, loss):
        self.history.index_copy_(0, self.index, loss.detach().reshape(1))
        self.index.add_(1)

    def two_layer(self):
        d, rate = self.data, self.task["rate"]
        h = d["x"].mm(d["w1"])
        h_relu = h.clamp(min=0)
        residue = h_relu.mm(d["w2"]) - d["y"]
        self.record(residue.square().sum())
        grad_y = 2 * residue
        grad_w2 = h_relu.t().mm(grad_y)
        grad_h = grad_y.mm(d["w2"].t()) * (h >= 0)
        grad_w1 = d["x"].t().mm(grad_h)
        d["w1"].sub_(grad_w1, alpha=rate)
        d["w2"].sub_(grad_w2, alpha=rate)

    def moons_forward(self):
        d = self.data
        a = self.torch.tanh(self.torch.addmm(d["b1"], d["X"], d["W1"]))
        return a, self.torch.addmm(d["b2"], a, d["W2"])

    def moons_loss(self):
        d = self.data
        scores = self.moons_forward()[1]
        squares = d["W1"].square().sum() + d["W2"].square().sum()
        return (PENALTY / 2 * squares - (scores.log_softmax(1) * d["classes"]).sum()) / 200

    def moons(self):
        d = self.data
        a, scores = self.moons_forward()
        delta = scores.softmax(1) - d["classes"]
        dz = delta.mm(d["W2"].t()) * (1 - a.square())
        gradients = {
            "W1": d["X"].t().mm(dz) + PENALTY * d["W1"],
            "b1": dz.sum(0, keepdim=True),
            "W2": a.t().mm(delta) + PENALTY * d["W2"],
            "b2": delta.sum(0, keepdim=True),
        }
        for name, gradient in gradients.items():
            d[name].sub_(gradient, alpha=MOONS_RATE)

    def classifier(self):
        torch, d = self.torch, self.data
        with torch.enable_grad():
            h = d["x"]
            for layer in range(1, LAYERS + 1):
                h = torch.addmm(d[f"b{layer}"], h, d[f"w{layer}"])
                h = h.relu() if layer < LAYERS else h
            loss = torch.nn.functional.cross_entropy(h, d["y"])
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
        self.optimizer.step()
        self.record(loss)

    def matmul(self):
        self.torch.mm(self.data["a"], self.data["b"], out=self.data["c"])


def make(which):
    if which == "numpy":
        return NumPy()
    return Torch("cpu" if which == "torch-cpu" else "cuda", which == "torch-cuda-graph")


def answer(peer, request):
    call = request["call"]
    if call == "open":
        return peer.says()
    if call == "prepare":
        folder = request["folder"]
        arrays = request["arrays"]
        data = {
            name: peer.load(os.path.join(folder, f"{name}.bin"), spec["shape"], spec["dtype"])
            for name, spec in arrays.items()
        }
        peer.prepare(request["task"], data)
        return None
    if call == "run":
        begun = time.perf_counter()
        losses = peer.run(request["steps"])
        return {"ms": (time.perf_counter() - begun) * 1000, "losses": losses}
    if call == "row":
        return peer.row(request["row"])
    raise ValueError(f"unknown call {call}")


def main():
    peer = None
    for line in sys.stdin:
        try:
            if peer is None:
                peer = make(sys.argv[1])
                if sys.argv[1] != "numpy":
                    peer.torch.set_grad_enabled(False)
            result = {"ok": answer(peer, json.loads(line))}
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(result), flush=True)


main()
