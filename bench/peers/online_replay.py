"""Online experience replay in eager PyTorch: python3 online_replay.py EXCHANGE.json

Prints its name, then answers each line of standard input with a line:
    losses N   the losses of the first N mini-batches, replaying the rows that the exchange names
    seconds    the time that the whole stream took, with a reservoir of its own
"""
import json
import os
import random
import sys
import time

with open(sys.argv[1]) as file:
    task = json.load(file)
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(task["threads"])

import torch
from torch import nn

from networks import load

torch.set_num_threads(task["threads"])
x = torch.tensor(task["x"]).view(len(task["labels"]), -1)
labels = torch.tensor(task["labels"])
batches = [torch.tensor(rows) for rows in task["batches"]]
criterion = nn.CrossEntropyLoss()


def train(model, optimizer, new_x, new_y, old_x, old_y):
    if old_x is not None:
        new_x, new_y = torch.cat((new_x, old_x)), torch.cat((new_y, old_y))
    optimizer.zero_grad()
    loss = criterion(model(new_x), new_y)
    loss.backward()
    optimizer.step()
    return loss.item()


def losses(count):
    model = load(task)
    optimizer = torch.optim.SGD(model.parameters(), lr=task["learning_rate"])
    result = []
    for rows, replay in zip(batches[:count], task["replays"]):
        old = torch.tensor(replay, dtype=torch.int64)
        result.append(train(model, optimizer, x[rows], labels[rows], x[old] if replay else None, labels[old] if replay else None))
    return result


def seconds():
    model = load(task)
    optimizer = torch.optim.SGD(model.parameters(), lr=task["learning_rate"])
    size, seen = task["buffer_size"], 0
    kept_x, kept_y = torch.zeros(size, x.shape[1]), torch.zeros(size, dtype=torch.int64)
    start = time.perf_counter()
    for rows in batches:
        new_x, new_y = x[rows], labels[rows]
        old_x = old_y = None
        if seen:
            index = torch.randperm(min(seen, size))[: len(new_y)]
            old_x, old_y = kept_x[index], kept_y[index]
        train(model, optimizer, new_x, new_y, old_x, old_y)
        for i in range(len(new_y)):
            slot = seen if seen < size else random.randint(0, seen)
            if slot < size:
                kept_x[slot], kept_y[slot] = new_x[i], new_y[i]
            seen += 1
    return time.perf_counter() - start


print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} thread(s)", flush=True)
for line in sys.stdin:
    words = line.split()
    print(" ".join(repr(v) for v in losses(int(words[1]))) if words[0] == "losses" else repr(seconds()), flush=True)
