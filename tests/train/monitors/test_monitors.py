"""Accuracies measured along a training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from small_nets import operations_net, step
from supernet import Choice, ElasticLinear, Supernet
from supernet.data import Augment, DatasetSplit, ImageData, from_arrays, from_datasets
from supernet.measure import accuracy
from supernet.methods import spos
from supernet.train import SubnetScores, fit


def bars(augment: Augment) -> ImageData:
    """Two classes: a bright bar at the top, or at the bottom."""
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    images = rng.integers(0, 60, (400, 8, 8), dtype=np.uint8)
    images[labels == 1, :2] += 150
    images[labels == 0, 6:] += 150
    return from_arrays(images, labels, name="bars", augment=augment)


def test_the_largest_subnet_is_measured_on_images_augmented_as_in_training_too() -> None:
    net = operations_net()
    fit(net, spos(), bars(Augment()), steps=30, batch_size=32, progress=False)
    plain = SubnetScores(bars(Augment()), every=1)(step(net))
    assert plain["accuracy/largest"] == accuracy(net, net.space.largest(), bars(Augment())) > 0.9
    assert plain["accuracy/largest, augmented"] == plain["accuracy/largest"]
    turned = SubnetScores(bars(Augment(rotate_degrees=180)), every=1)(step(net))
    assert turned["accuracy/largest"] == plain["accuracy/largest"]
    assert turned["accuracy/largest, augmented"] < 0.8


def test_a_thousand_examples_are_enough_unless_others_are_asked_for() -> None:
    class AlwaysFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = ElasticLinear(4, Choice("out", (2,)))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = 0 * self.layer(x) + torch.tensor([1.0, 0.0])
            return answer

    examples = DatasetSplit(dataset=TensorDataset(torch.ones(1250, 4), (torch.arange(1250) >= 1000).long()))
    found = from_datasets(examples, examples, classes=2)
    net = Supernet(AlwaysFirst())
    assert SubnetScores(found, every=1)(step(net))["accuracy/largest"] == 1.0
    assert SubnetScores(found, every=1, images=None)(step(net))["accuracy/largest"] == pytest.approx(0.8)
