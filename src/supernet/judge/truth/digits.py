"""A small table of our own, shipped with the package: NAS-Bench-201 topologies trained alone on digits."""

from __future__ import annotations

from pathlib import Path

from supernet.judge.truth.table import Table
from supernet.judge.truth.table_csv import read_csv
from supernet.zoo import nasbench201

FILE = Path(__file__).with_name("nasbench201_digits.csv")


def digits_table() -> Table:
    """NAS-Bench-201 topologies on scikit-learn's digits, each trained alone several times; nothing to download.

    One topology from each of 320 strata of parameter count. Networks of 8 channels and 3 cells per stage, 30 steps of
    128 images with SGD (0.1, cosine), accuracy on half of the images that are not for testing. So short a training
    is noisy: `Table.noise_ceiling` says how far two of them agree. Made by `benchmarks/digits_table.py`.
    """
    return read_csv(FILE, nasbench201(channels=1, cells=1).space, metric=None)
