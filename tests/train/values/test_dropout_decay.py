"""The rate of P-DARTS's dropout, by the authors' formula."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from small_nets import operations_net, step
from supernet.errors import UsageError
from supernet.train import DropoutDecay, PerEpoch


def test_it_is_the_authors_rate_in_every_epoch() -> None:
    """p (E − e − 1) / E for ten epochs of 25, then p exp(−0.2 (e − 10)); constant within an epoch."""
    net, value = operations_net(), PerEpoch(DropoutDecay(start=0.7))
    for epoch in range(25):
        expected = 0.7 * (25 - epoch - 1) / 25 if epoch < 10 else 0.7 * math.exp(-0.2 * (epoch - 10))
        for at in (0, 3):
            now = replace(step(net, 4 * epoch + at, total=100), steps_per_epoch=4)
            assert value(now) == pytest.approx(expected)


def test_without_epochs_it_counts_steps() -> None:
    net = operations_net()
    rates = [DropoutDecay(start=0.5, begin=0.5, fall=2.0)(step(net, at, total=4)) for at in range(4)]
    assert rates == pytest.approx([0.375, 0.25, 0.5, 0.5 * math.exp(-0.5)])


@pytest.mark.parametrize("options", [{"start": 1.0}, {"start": -0.1}, {"begin": 1.5}, {"fall": -1.0}])
def test_numbers_outside_their_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        DropoutDecay(**{"start": 0.1, **options})
