"""The best of several that are drawn after a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from torch import nn

from small_nets import elastic_net, executor, images, operations_net, step
from supernet import Supernet
from supernet.errors import UsageError
from supernet.space import Arch
from supernet.train import (
    Context,
    Fixed,
    FreshBatch,
    Likelihood,
    PathDropout,
    SampleAndRank,
    Step,
    Uniform,
    ValidationError,
)


@dataclass(frozen=True)
class ByCode:
    """Rates by the sum of codes; what it was asked is noted."""

    asked: list[Arch] = field(default_factory=list)

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        self.asked.extend(archs)
        return [float(sum(arch.code)) for arch in archs]


class InTurn(nn.Module):
    """A policy that draws the architectures of a space one after another."""

    def __init__(self, net: Supernet) -> None:
        super().__init__()
        self.archs, self.uses = list(net.space.enumerate()), list[str]()

    def draw(self, step: Step, use: str) -> Arch:
        self.uses.append(use)
        return self.archs[-len(self.uses)]

    def likelihood(self, step: Step, arch: Arch) -> Likelihood:
        raise AssertionError("nothing is learned any more")


def context(net: Supernet, policy: nn.Module | None = None) -> Context:
    run = executor(net, images())
    parts = {} if policy is None else {"controller": policy}
    return Context(replace(step(net, 9, parts=parts), runner=run), run)


def test_the_best_of_those_that_the_policy_draws_is_taken() -> None:
    net = operations_net()
    policy, rating = InTurn(net), ByCode()
    found = SampleAndRank(samples=4, rating=rating, part="controller").derive(context(net, policy))
    assert rating.asked == policy.archs[:-5:-1]
    assert sum(found.code) == min(sum(arch.code) for arch in rating.asked)
    assert len(set(policy.uses)) == 4, "each draw is a use of its own"


@pytest.mark.parametrize("sampler", [None, Uniform(3)])
def test_without_a_policy_a_sampler_draws_as_many(sampler: Uniform | None) -> None:
    net, rating = elastic_net(), ByCode()
    SampleAndRank(samples=40, rating=rating, sampler=sampler).derive(context(net))
    assert set(rating.asked) == set(net.space.enumerate()), "forty draws show all six"
    assert len(rating.asked) == len(set(rating.asked)), "one that is drawn repeatedly is rated once"


def test_it_looks_at_the_images_that_its_rating_names() -> None:
    net = operations_net()
    now = context(net)
    SampleAndRank(samples=5, rating=FreshBatch()).derive(now)
    assert 1 <= now.executor.feed.draws["validation"] <= 5
    before = now.executor.passed["forward"]
    SampleAndRank(samples=1, rating=ValidationError(images=40)).derive(now)
    assert now.executor.passed["forward"] - before == 40


def test_what_cannot_be_drawn_is_refused() -> None:
    net = operations_net()
    with pytest.raises(UsageError, match="at least 1"):
        SampleAndRank(samples=0)
    with pytest.raises(UsageError, match="one of the two"):
        SampleAndRank(sampler=Uniform(), part="controller")
    with pytest.raises(UsageError, match="only architectures can be rated"):
        SampleAndRank(sampler=PathDropout()).derive(context(net))
    with pytest.raises(UsageError, match="drawn by a part 'controller'"):
        SampleAndRank(part="controller").derive(context(net))
    with pytest.raises(UsageError):
        SampleAndRank(sampler=Fixed(elastic_net().space.smallest())).check(net)
    with pytest.raises(UsageError, match="one of"):
        FreshBatch(measure="accuracy")  # type: ignore[arg-type]
