"""Digits of several domains: what each shows, and that no digit stands in two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from supernet.data import digit_domains, domains_of
from supernet.data.digit_domains import _divided, _drawn
from supernet.errors import UsageError


def test_every_digit_is_of_one_domain_with_all_classes_alike() -> None:
    heaps = _divided(0, 4)
    assert [len(labels) for _, labels in heaps] == [450, 449, 449, 449]
    for _, labels in heaps:
        assert np.bincount(labels).min() >= 42
    every = np.concatenate([images for images, _ in heaps]).reshape(1797, -1)
    expected = np.rint(load_digits().data * (255 / 16)).astype(np.uint8)
    assert sorted(map(bytes, every)) == sorted(map(bytes, expected))


def test_domains_show_what_they_say() -> None:
    images, _ = _divided(0, 1)[0]
    assert np.array_equal(_drawn("plain", images, 8, 0.0), images)
    assert np.array_equal(_drawn("inverted", images, 8, 0.0), 255 - images)
    quarter = _drawn("rotated", images, 8, 90.0).astype(int)
    assert np.abs(quarter - np.rot90(images, 1, (1, 2))).max() <= 1, "counter-clockwise"
    blurred = _drawn("blurred", images, 8, 0.0)
    assert blurred[0, 3, 4] == pytest.approx(images[0, 2:5, 3:6].mean() / 2, abs=0.51)
    assert _drawn("plain", images[:2], 28, 0.0).shape == (2, 28, 28)


def test_mnist_stands_beside_digits_of_one_size() -> None:
    data = digit_domains(domains=("plain", "mnist"), target="mnist", size=8, images=200)
    assert (len(data.train) + len(data.validation), len(data.test)) == (200, 200)
    assert data.shape == (1, 8, 8)
    assert np.bincount(data.test.labels.numpy()).tolist() == [20] * 10  # type: ignore[attr-defined]


def test_the_seed_decides_and_domains_are_told() -> None:
    one, same, other = (digit_domains(seed=seed) for seed in (1, 1, 2))
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()
    assert domains_of(one.train)[0] == ("plain", "rotated", "blurred")
    held = torch.bincount(torch.from_numpy(domains_of(one.validation)[1])).tolist()
    assert sum(held) == 135
    assert max(abs(count - 45) for count in held) <= 5, "one of each domain and class rounds to a whole image"


@pytest.mark.parametrize(
    "options",
    [
        {"domains": ("plain", "sketch")},
        {"domains": ("plain", "plain")},
        {"domains": ("plain",), "target": "plain"},
        {"domains": "plain"},
        {"target": "mnist"},
        {"size": 2},
        {"images": 1000},
        {"images": 3},
        {"degrees": float("nan")},
    ],
)
def test_other_domains_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        digit_domains(**options)
