"""Winnow's networks in eager PyTorch, as anyone would write them."""
import torch
from torch import nn


def build(architecture):
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


def load(task):
    """The network of an exchange file with its initial weights."""
    model = build(task["architecture"])
    state = model.state_dict()
    for name, values in task["state"].items():
        state[name].copy_(torch.tensor(values).view_as(state[name]))
    return model
