"""What a search on one data set tells of another: digits, and digits in a mirror."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from supernet import data, search
from supernet.data import ImageData
from supernet.measure import Calibration, NetEvaluator, RankWeighted
from supernet.methods import sandwich
from supernet.rank import kendall_tau
from supernet.train import fit
from supernet.zoo import mbconv

torch.set_num_threads(1)
ARCHS = 30


def mirrored() -> ImageData:
    images, labels = load_digits(return_X_y=True)
    pixels = np.rint(images.reshape(-1, 8, 8)[:, :, ::-1] * (255 / 16)).astype(np.uint8)
    return data.from_arrays(pixels, labels, name="mirrored", seed=1)


def evaluator(images: ImageData, seed: int) -> NetEvaluator:
    torch.manual_seed(seed)
    net = mbconv(num_classes=images.outputs, in_channels=1, image_size=8)
    fit(net, sandwich().with_weights(lr=0.1, per=None), images, steps=60, batch_size=64, seed=seed)
    return NetEvaluator(net, images, calibration=Calibration(images=256))


@pytest.mark.slow
def test_an_archive_of_other_digits_ranks_with_nothing_measured(tmp_path: Path) -> None:
    """Two supernets with other weights on other images; by chance τ has a standard deviation of 0.13 for 30."""
    first, second = data.digits(), mirrored()
    search.random(evaluator(first, 0), objectives="loss", budget=60, out=tmp_path / "first", seed=1)
    new = evaluator(second, 1)
    codes = new.space.population(np.random.default_rng(7), ARCHS)
    measured = np.asarray([new.evaluate(arch, ("loss",))["loss"] for arch in new.space.wrap(codes)])
    learned = RankWeighted(archives=(str(tmp_path / "first"),), quantity="loss")
    nothing = learned.fit(new.space, codes[:0], measured[:0])
    tau = kendall_tau(nothing.predict(codes).mean, measured)
    assert tau > 0.26, f"τ {tau:.2f}"
