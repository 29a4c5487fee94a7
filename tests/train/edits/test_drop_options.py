"""Dropping options: what is drawn, what is rated, what goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from small_nets import executor, images, operations_net, step
from supernet import Supernet, zoo
from supernet.errors import UsageError
from supernet.measure import cost_model
from supernet.space import Arch
from supernet.space.restriction import Restriction
from supernet.train import Context, Scored, Step
from supernet.train.edits.drop_options import DropOptions
from supernet.train.samplers.cost_table import costs


@dataclass(frozen=True)
class Worth:
    """The sum of what options are worth, less being better."""

    worths: tuple[tuple[str, Any, float], ...]

    def __call__(self, now: Step, archs: Sequence[Arch]) -> Sequence[float]:
        known = {(name, option): value for name, option, value in self.worths}
        return [sum(known.get(pair, 0.0) for pair in arch.options().items()) for arch in archs]


def context_of(net: Supernet, **restricted: Sequence[Any]) -> Context:
    restriction = Restriction(net.space)
    for name, options in restricted.items():
        restriction.allow(name, options)
    now = step(net)
    return Context(Step(now.index, now.total, net, now.rng, restriction=restriction, seed=3), executor(net, images()))


SIX = Worth(
    (
        ("block0", "conv3", 5.0),
        ("block0", "conv1", 4.0),
        ("block0", "skip", 3.0),
        ("block1", "conv3", 0.3),
        ("block1", "conv1", 0.2),
        ("block1", "skip", 0.1),
    )
)


def test_means_are_those_of_all_subnets_of_a_small_space() -> None:
    net = operations_net()
    means = DropOptions(rating=SIX).means(context_of(net))
    other = np.mean([0.3, 0.2, 0.1])
    assert means["block0", "conv3"] == pytest.approx(5.0 + other)
    assert means["block1", "skip"] == pytest.approx(0.1 + np.mean([5.0, 4.0, 3.0]))
    assert len(means) == 6


@pytest.mark.parametrize(
    ("count", "left"),
    [
        (1, {"block0": ("conv1", "skip"), "block1": ("conv3", "conv1", "skip")}),
        (2, {"block0": ("conv1", "skip"), "block1": ("conv1", "skip")}),  # a block's second worst lies above
        (4, {"block0": ("skip",), "block1": ("skip",)}),
        (99, {"block0": ("skip",), "block1": ("skip",)}),
        (None, {"block0": ("conv1", "skip"), "block1": ("conv1", "skip")}),
    ],
)
def test_the_worst_go_and_the_best_of_a_choice_never(count: int | None, left: dict[str, tuple[str, ...]]) -> None:
    context = context_of(operations_net())
    told = DropOptions(rating=SIX, count=count)(context)
    space = context.restriction.space
    assert {name: space.allowed(name) for name in space.names} == left
    assert told["dropped"] == 6 - sum(map(len, left.values()))


def test_what_was_dropped_is_drawn_no_more_and_what_is_decided_stays() -> None:
    context = context_of(operations_net(), block0=("conv1", "skip"), block1=("conv3",))
    drop = DropOptions(rating=SIX, count=5)
    pools = drop.drawn(context, np.random.default_rng(0))
    assert set(pools) == {("block0", "conv1"), ("block0", "skip")}
    drop(context)
    assert context.restriction.space.size == 1
    assert drop(context) == {"dropped": 0.0}


def test_each_option_is_rated_by_different_subnets_up_to_the_number() -> None:
    net = zoo.nasbench201(channels=4, cells=1, in_channels=1)
    pools = DropOptions(rating=SIX, samples=20).drawn(context_of(net), np.random.default_rng(0))
    assert set(map(len, pools.values())) == {20}
    for (name, option), pool in pools.items():
        assert len(set(pool)) == 20
        assert all(arch[name] == option for arch in pool)
    pools = DropOptions(rating=SIX).drawn(context_of(operations_net()), np.random.default_rng(0))
    assert [len(pool) for pool in pools.values()] == [3] * 6, "a subnet that is drawn for both its options counts once"


def test_subnets_beyond_the_limit_do_not_count() -> None:
    net = operations_net()
    net.input_shape = (1, 8, 8)
    archs = net.space.wrap(net.space.unindex(range(9)))
    macs = costs(net, net.space.codes(archs), "macs")
    limit = float(np.sort(macs)[4])
    pools = DropOptions(rating=SIX, max_macs=limit).drawn(context_of(net), np.random.default_rng(0))
    model = cost_model(net)
    assert sorted(len(pool) for pool in pools.values()) != [3] * 6
    for pool in pools.values():
        assert all(model.macs(net.space.codes([arch]))[0] <= limit for arch in pool)
    dearest = DropOptions(rating=SIX, max_macs=float(macs.min()), count=2)
    means = dearest.means(context_of(net))
    assert [pair for pair, mean in means.items() if np.isinf(mean)]
    assert np.isinf(means[next(dearest.worst(means))])  # none within the limit: the first to go
    with pytest.raises(UsageError, match="Raise max_macs"):
        DropOptions(rating=SIX, max_macs=1.0)(context_of(net))


def test_numbers_outside_their_range_are_refused() -> None:
    for wrong in ({"count": 0}, {"samples": 0}, {"max_macs": 0.0}):
        with pytest.raises(UsageError):
            DropOptions(rating=SIX, **wrong)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Length:
    """A score of the choices that matter, the more the better."""

    name: str = "length"
    goal: str = "max"
    unit: str = ""

    def __call__(self, subnet: Any) -> float:
        return float(len(subnet.arch.options()))


def test_a_score_that_is_to_be_large_rates_low() -> None:
    net = operations_net()
    arch = net.space.largest()
    assert Scored(Length())(step(net), [arch]) == [-2.0]  # type: ignore[arg-type]
    assert Scored(Length(goal="min"))(step(net), [arch]) == [2.0]  # type: ignore[arg-type]
