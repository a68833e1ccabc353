"""The losses and predictions of PyTorch's own float32 where a golden training is sensitive to rounding: how far it strays from float64 bounds what may.

    /usr/bin/python3 test/golden/make_net_float32.py     writes net-float32.json

    lstm     RMSprop makes whole steps of gradients near 0, so that float32 leaves float64 by 1e-3
"""

import json
from pathlib import Path

import torch
from make_torch import read

HERE = Path(__file__).parent


def lstm():
    golden, _ = read("net-lstm")
    start, _ = read("net-lstm-init")
    cells, head = torch.nn.LSTM(4, 9, batch_first=True).float(), torch.nn.Linear(9, 3).float()
    with torch.no_grad():
        for name, values in start.items():
            module = cells if name[0] == "0" else head
            getattr(module, name[2:]).copy_(torch.tensor(values))
    optimizer = torch.optim.RMSprop([*cells.parameters(), *head.parameters()], lr=2e-3)
    x, y = torch.tensor(golden["x"]).float(), torch.tensor(golden["y"]).long()
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(head(cells(x)[0][:, -1]), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        predictions = torch.softmax(head(cells(x)[0][:, -1]), 1)
    return {"losses": losses, "predictions": predictions.reshape(-1).tolist()}


(HERE / "net-float32.json").write_text(json.dumps({"lstm": lstm()}) + "\n")
