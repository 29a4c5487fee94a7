"""Distances of features by formulas of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from supernet.errors import UsageError
from supernet.train import CrossEntropy, FeatureDistance
from supernet.train.objectives.feature_distance import feature_distance


def features() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 4, 5, 5, generator=generator), 2 + 3 * torch.randn(3, 4, 5, 5, generator=generator)


def test_the_three_distances() -> None:
    s, t = features()
    a, b = s.numpy().astype(np.float64), t.numpy().astype(np.float64)
    k = b.size
    variance = ((b - b.mean()) ** 2).sum() / k
    squares = ((a - b) ** 2).sum()
    assert feature_distance(s, t, "mse").item() == pytest.approx(squares / k, rel=1e-5)
    assert feature_distance(s, t, "normalised").item() == pytest.approx(squares / (k * variance), rel=1e-5)
    deviation = np.sqrt(((b - b.mean()) ** 2).sum() / (k - 1))
    assert feature_distance(s, t, "rating").item() == pytest.approx(np.abs(a - b).mean() / deviation, rel=1e-5)


def test_normalised_distances_do_not_depend_on_the_scale_of_a_stage() -> None:
    s, t = features()
    for kind in ("normalised", "rating"):
        assert feature_distance(10 * s, 10 * t, kind).item() == pytest.approx(feature_distance(s, t, kind).item())  # type: ignore[arg-type]
    assert feature_distance(10 * s, 10 * t, "mse").item() == pytest.approx(100 * feature_distance(s, t, "mse").item())


def test_a_constant_teacher_leaves_the_distance_finite() -> None:
    s, t = torch.zeros(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)
    assert feature_distance(s, t, "normalised").item() == feature_distance(s, t, "rating").item() == 0


def test_features_of_other_shapes_are_refused() -> None:
    s, t = features()
    with pytest.raises(UsageError, match=r"\(3, 4, 5, 5\) were compared with a teacher's of \(3, 3, 5, 5\)"):
        feature_distance(s, t[:, :3], "mse")


def test_alone_it_is_the_loss_of_the_labels() -> None:
    assert FeatureDistance(stage=1, labels=CrossEntropy(0.1)).alone() == CrossEntropy(0.1)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="Features are compared by one of"):
        FeatureDistance(stage=0, kind="l1")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="numbered from 0"):
        FeatureDistance(stage=-1)
