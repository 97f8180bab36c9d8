"""The training step of Winnow's networks in eager PyTorch: python3 training_step.py EXCHANGE.json

Prints its name, then answers each line of standard input with a line:
    losses N   the losses of N steps
    seconds N  the time that N steps took
"""
import json
import os
import sys
import time

with open(sys.argv[1]) as file:
    task = json.load(file)
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(task["threads"])

import torch
from torch import nn

torch.set_num_threads(task["threads"])


def build(architecture):
    """The network as anyone would write it."""
    layers = []
    if architecture["$type"] == "mlp":
        width = architecture["Width"]
        for i, hidden in enumerate(architecture["Hidden"], 1):
            layers.append((f"linear{i}", nn.Linear(width, hidden)))
            if architecture["BatchNorm"]:
                layers.append((f"norm{i}", nn.BatchNorm1d(hidden)))
            layers.append((f"relu{i}", nn.ReLU()))
            width = hidden
    else:
        channels, height, width = (architecture[k] for k in ("Channels", "Height", "Width"))
        layers.append(("images", nn.Unflatten(1, (channels, height, width))))
        for i, filters in enumerate((16, 32), 1):
            layers.append((f"conv{i}", nn.Conv2d(channels, filters, 3, padding=1)))
            if architecture["BatchNorm"]:
                layers.append((f"norm{i}", nn.BatchNorm2d(filters)))
            layers += [(f"relu{i}", nn.ReLU()), (f"pool{i}", nn.MaxPool2d(2))]
            channels = filters
        layers.append(("flatten", nn.Flatten()))
        width = channels * (height // 4) * (width // 4)
    layers.append(("head", nn.Linear(width, architecture["Outputs"])))
    model = nn.Sequential()
    for name, layer in layers:
        model.add_module(name, layer)
    return model


model = build(task["architecture"])
state = model.state_dict()
for name, values in task["state"].items():
    state[name].copy_(torch.tensor(values).view_as(state[name]))
x = torch.tensor(task["x"]).view(task["batch"], -1)
labels = torch.tensor(task["labels"])
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=task["learning_rate"])


def step():
    optimizer.zero_grad()
    loss = criterion(model(x), labels)
    loss.backward()
    optimizer.step()
    return loss


print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} thread(s)", flush=True)
for line in sys.stdin:
    what, count = line.split()
    if what == "losses":
        print(*(step().item() for _ in range(int(count))), flush=True)
    else:
        start = time.perf_counter()
        for _ in range(int(count)):
            step().item()
        print(time.perf_counter() - start, flush=True)
