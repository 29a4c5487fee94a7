"""Accuracies measured along a training."""

from __future__ import annotations

import numpy as np

from small_nets import operations_net, step
from supernet.data import Augment, ImageData, from_arrays
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
