"""Paths as often as an archive has their options."""

from __future__ import annotations

import numpy as np
import pytest

from small_nets import elastic_net, operations_net, step
from supernet.errors import UsageError
from supernet.space import Choice, Space
from supernet.train import FromFrequencies
from supernet.train.samplers.architecture_archive import ArchitectureArchive, frequencies, population

DEPTH = Choice("depth", (1, 2))
GATED = Space([DEPTH, Choice("kernel", (3, 5, 7), when=DEPTH >= 2)])


def test_frequencies_are_those_of_the_members_in_which_a_choice_matters() -> None:
    codes = population(GATED, [(0, 0), (1, 2), (1, 2), (1, 1)])
    depth, kernel = frequencies(GATED, codes)
    assert depth.tolist() == [0.25, 0.75]
    assert np.allclose(kernel, [0, 1 / 3, 2 / 3])


def test_what_matters_in_no_member_is_uniform() -> None:
    _, kernel = frequencies(GATED, population(GATED, [(0, 0)]))
    assert np.allclose(kernel, 1 / 3)


def test_options_that_are_not_allowed_count_nothing() -> None:
    part = GATED.restrict({"kernel": (3, 7)})
    codes = population(GATED, [(1, 1), (1, 1), (1, 2)])
    assert frequencies(part, codes)[1].tolist() == [0, 0, 1]
    assert frequencies(part, codes[:2])[1].tolist() == [0.5, 0, 0.5]


def test_paths_have_these_frequencies_choice_by_choice() -> None:
    net, now = elastic_net(), step(elastic_net())
    codes = np.unique(net.space.population(np.random.default_rng(3), 20), axis=0)
    archive = ArchitectureArchive(now.memory)
    archive.write([tuple(code) for code in codes.tolist()], [{}] * len(codes), keep=range(4))
    drawn = net.space.codes(list(FromFrequencies(8000).paths(now)))
    expected = frequencies(net.space, codes[:4])
    assert any(0 < p < 1 for of in expected for p in of)
    active = net.space.active_mask(drawn)
    for column, of in enumerate(expected):
        found = np.bincount(drawn[active[:, column], column], minlength=len(of)) / active[:, column].sum()
        assert np.allclose(found, of, atol=0.03), net.space.choices[column].name
        assert not found[of == 0].any()


def test_without_an_archive_paths_are_uniform() -> None:
    net = operations_net()
    drawn = net.space.codes(list(FromFrequencies(4000).paths(step(net, 0))))
    for column, choice in enumerate(net.space.choices):
        found = np.bincount(drawn[:, column], minlength=len(choice)) / 4000
        assert np.allclose(found, 1 / len(choice), atol=0.04)


def test_it_draws_within_the_restriction_and_says_what_it_draws() -> None:
    net = operations_net()
    part = net.space.restrict({net.space.names[0]: [net.space.choices[0].options[0]]})
    assert all(arch in part for arch in FromFrequencies(20).paths(step(net, 0).within(part)))
    assert (FromFrequencies(1).draws, FromFrequencies(2).draws) == ("one", "independent")
    with pytest.raises(UsageError, match="0 paths a step"):
        FromFrequencies(0)
