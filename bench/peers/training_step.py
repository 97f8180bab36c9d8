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

from networks import load

torch.set_num_threads(task["threads"])

model = load(task)
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
