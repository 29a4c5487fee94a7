"""The easiest classes: as many as the share says, in the order that is given or found."""

from __future__ import annotations

import numpy as np
import pytest

from supernet.data import EasiestClasses, FewerClasses, ImageData, digits
from supernet.data.derived.easiest_classes import nearest_mean
from supernet.data.indexed import indexed
from supernet.errors import UsageError

ORDER = (6, 0, 4, 2, 7, 5, 3, 1, 9, 8)


@pytest.mark.parametrize(("share", "count"), [(0.2, 2), (0.3, 3), (0.55, 6), (1.0, 10)])
def test_it_is_the_first_share_of_the_order(share: float, count: int) -> None:
    found = EasiestClasses(share, order=ORDER)(digits())
    assert found.fingerprint() == FewerClasses(ORDER[:count])(digits()).fingerprint()


def test_without_an_order_it_is_by_the_nearest_mean() -> None:
    """By hand, with distances written out."""
    data = digits()
    (batch,) = data.train.batches(10_000)
    images, labels = np.asarray(batch.x, dtype=np.float64).reshape(len(batch.y), -1), batch.y.numpy()
    means = np.stack([images[labels == label].mean(0) for label in range(10)])
    nearest = np.stack([((images - mean) ** 2).sum(1) for mean in means]).argmin(0)
    right = [float((nearest[labels == label] == label).mean()) for label in range(10)]
    expected = sorted(range(10), key=lambda label: (-right[label], label))
    assert nearest_mean(indexed(data.train, "")) == tuple(expected)
    assert right[expected[0]] > right[expected[-1]]
    found = EasiestClasses(0.4)(data)
    assert set(next(found.train.batches(10_000)).y.tolist()) == set(expected[:4])
    assert set(next(found.validation.batches(10_000)).y.tolist()) == set(expected[:4])


def test_what_leaves_no_two_classes_is_refused(data: ImageData) -> None:
    with pytest.raises(UsageError, match=r"A share of 0.1 of the 10 classes of digits is 1; .* Give 0.2 or more"):
        EasiestClasses(0.1)(digits())
    with pytest.raises(UsageError, match=r"of the 3 classes of noise is 1"):
        EasiestClasses(0.4)(data)
    for share in (0.0, 1.1, -1):
        with pytest.raises(UsageError, match="give one above 0 and at most 1"):
            EasiestClasses(share)
    with pytest.raises(UsageError, match="names one twice"):
        EasiestClasses(0.5, order=(1, 1))
    with pytest.raises(UsageError, match="names 3 classes, but digits has 10"):
        EasiestClasses(0.5, order=(0, 1, 2))(digits())
