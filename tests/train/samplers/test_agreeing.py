"""Paths that agree on one choice."""

from __future__ import annotations

from collections import Counter

import pytest

from small_nets import elastic_net, operations_net, step
from supernet.errors import UsageError
from supernet.train import Agreeing, Sandwich, Uniform
from supernet.train.samplers.draws import drawn_by


def test_all_paths_of_a_step_have_one_option_and_steps_have_each_alike() -> None:
    net, sampler = elastic_net(), Agreeing(Uniform(4), on="width")
    found = Counter()
    for index in range(400):
        paths = sampler.paths(step(net, index))
        assert len(paths) == 4
        (width,) = {path["width"] for path in paths}
        found[width] += 1
    assert min(found.values()) > 150


def test_other_choices_stay_as_they_were_drawn() -> None:
    net = elastic_net()
    for index in range(20):
        paths = Agreeing(Uniform(3), on="width").paths(step(net, index))
        free = Uniform(3).paths(step(net, index))
        assert [path["depth"] for path in paths] == [path["depth"] for path in free]
        assert [path["kernel"] for path in paths] == [path["kernel"] for path in free]


def test_what_is_forbidden_is_not_drawn() -> None:
    net = elastic_net()
    space = net.space.restrict({"width": (4,)})
    paths = [
        path for index in range(20) for path in Agreeing(Uniform(2), on="width").paths(step(net, index).within(space))
    ]
    assert {path["width"] for path in paths} == {4}


def test_what_it_draws_follows_from_the_sampler() -> None:
    assert [drawn_by(Agreeing(sampler)) for sampler in (Uniform(), Uniform(2), Sandwich())] == ["one", "joint", "joint"]


def test_a_choice_that_does_not_always_matter_is_set_where_it_does() -> None:
    net = elastic_net()
    for index in range(20):
        paths = Agreeing(Uniform(4), on="kernel").paths(step(net, index))
        assert len({path["kernel"] for path in paths if path["depth"]}) <= 1
        assert all(path == net.space.arch(path.options()) for path in paths)


def test_a_choice_that_others_depend_on_is_refused() -> None:
    with pytest.raises(UsageError, match="agree on 'depth', but 'kernel' depends on it"):
        Agreeing(Uniform(), on="depth").check(elastic_net())


def test_a_choice_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match=r"agree on 'resolution', but the space has no such choice; it has 'width'"):
        Agreeing(Uniform()).check(elastic_net())
    Agreeing(Uniform(), on="block1").check(operations_net())
