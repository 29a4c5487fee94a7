"""Distinct paths: none twice, all equally likely, the laws of samplers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from small_nets import elastic_net, operations_net, step
from supernet.errors import UsageError
from supernet.train import Distinct
from supernet.train.laws import SAMPLER_LAWS, SamplerLaw


@pytest.mark.parametrize("law", SAMPLER_LAWS)
@pytest.mark.parametrize("count", [1, 4])
def test_distinct_paths_keep_the_laws(law: SamplerLaw, count: int) -> None:
    law(Distinct(count), operations_net())


def test_no_path_is_drawn_twice_in_a_step_and_all_are_equally_likely() -> None:
    net = elastic_net()  # two widths; depth 0, or 1 with two kernels: six architectures
    seen: Counter[tuple[int, ...]] = Counter()
    for index in range(600):
        paths = Distinct(4).paths(step(net, index))
        assert len({path.code for path in paths}) == 4
        seen.update(path.code for path in paths)
    assert len(seen) == net.space.size == 6
    counts = np.asarray(list(seen.values()))
    assert np.abs(counts - 400).max() < 5 * np.sqrt(600 * 2 / 3 / 3), counts


def test_of_a_small_space_all_are_drawn() -> None:
    net = operations_net()
    part = net.space.restrict({"block0": ["conv1"]})
    assert len(Distinct(5).paths(step(net).within(part))) == 3


def test_no_paths_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        Distinct(0)
