"""What a search on one data set tells of another: digits, and digits in a mirror."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from supernet import data, search
from supernet.data import ImageData
from supernet.measure import NetEvaluator, RankWeighted
from supernet.methods import sandwich
from supernet.nn import Supernet
from supernet.rank import kendall_tau
from supernet.train import fit
from supernet.zoo import mbconv

torch.set_num_threads(1)
ARCHS = 40


def mirrored() -> ImageData:
    images, labels = load_digits(return_X_y=True)
    pixels = np.rint(images.reshape(-1, 8, 8)[:, :, ::-1] * (255 / 16)).astype(np.uint8)
    return data.from_arrays(pixels, labels, name="mirrored", seed=1)


def trained(images: ImageData, seed: int) -> Supernet:
    torch.manual_seed(seed)
    net = mbconv(num_classes=images.outputs, in_channels=1, image_size=8)
    fit(net, sandwich().with_weights(lr=0.1, per=None), images, steps=100, batch_size=64, seed=seed)
    return net


@pytest.mark.slow
def test_an_archive_of_other_digits_ranks_with_nothing_measured(tmp_path: Path) -> None:
    """Two supernets with other weights on other images; by chance τ has a standard deviation of 0.11 for 40."""
    first, second = data.digits(), mirrored()
    search.random(trained(first, 0), first, objectives="loss", budget=100, out=tmp_path / "first", seed=1)
    net = trained(second, 1)
    evaluator = NetEvaluator(net, second)
    codes = net.space.population(np.random.default_rng(7), ARCHS)
    measured = np.asarray([evaluator.evaluate(arch, ("loss",))["loss"] for arch in net.space.wrap(codes)])
    learned = RankWeighted(archives=(str(tmp_path / "first"),), quantity="loss")
    nothing = learned.fit(net.space, codes[:0], measured[:0])
    tau = kendall_tau(nothing.predict(codes).mean, measured)
    assert tau > 0.3, f"τ {tau:.2f}"
