"""Ratings, and what is picked by them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from small_nets import elastic_net, executor, images, operations_net, step
from supernet import Supernet
from supernet.errors import RunError, UsageError
from supernet.space import Arch
from supernet.train import (
    BatchLoss,
    BestOf,
    Fixed,
    InversePerplexity,
    PathDropout,
    Predicted,
    Rating,
    Sandwich,
    Step,
    StrictFair,
    Uniform,
    ValidationLoss,
)
from supernet.train.executor import Executor
from supernet.train.laws import SAMPLER_LAWS, SamplerLaw
from supernet.train.ratings._protocol import lowest, rated
from supernet.train.step import RatedBy


@cache
def operations() -> Supernet:
    return operations_net()


@cache
def elastic() -> Supernet:
    return elastic_net()


def by_code(archs: Sequence[Arch]) -> list[float]:
    """A score that every architecture has to itself."""
    return [float(sum(3**place * code for place, code in enumerate(arch.code))) for arch in archs]


def in_training(net: Supernet, run: Executor, index: int = 0) -> Step:
    return Step(index, 10, net, np.random.default_rng([0, index]), runner=run)


def loss_by_hand(net: Supernet, arch: Arch, x: torch.Tensor, y: torch.Tensor) -> float:
    """Training mode but for dropout, without a gradient."""
    net = copy.deepcopy(net).train()
    for layer in net.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.eval()
    with torch.no_grad():
        return float(F.cross_entropy(net(x, arch), y))


# -- ratings -----------------------------------------------------------------------------------------------------


def test_the_batch_loss_is_that_of_the_batch_the_step_trains_on() -> None:
    net = operations_net()
    run = executor(net, images())
    archs = list(net.space.enumerate())
    found = BatchLoss()(in_training(net, run), archs)
    x, y = run.batch("train")
    assert found == pytest.approx([loss_by_hand(net, arch, x, y) for arch in archs], abs=1e-5)
    assert len({round(value, 6) for value in found}) == len(archs)


def test_the_inverse_perplexity_is_told_on_a_batch_for_each() -> None:
    seen: list[str] = []

    class Running:
        def rate(self, targets: Sequence[Arch], data: str, by: RatedBy) -> object:
            seen.append(f"{data} {by.measure} {by.fresh} {len(targets)}")
            return [[4.0, 50.0][len(seen) - 1]]

    net = operations()
    now = Step(0, 10, net, np.random.default_rng(0), runner=Running())  # type: ignore[arg-type]
    found = InversePerplexity(20.0, "train")(now, list(net.space.enumerate())[:2])
    assert found == pytest.approx([1 - 20 / math.exp(4.0), 1 - 20 / math.exp(10.0)])
    assert seen == ["train loss True 1"] * 2
    with pytest.raises(UsageError, match="scale of the reward"):
        InversePerplexity(0.0)


def test_the_batch_loss_may_have_smoothed_labels() -> None:
    net = operations_net()
    run = executor(net, images())
    arch = net.space.largest()
    plain, smoothed = (BatchLoss(s)(in_training(net, run), [arch])[0] for s in (0.0, 0.3))
    x, y = run.batch("train")
    net = copy.deepcopy(net).train()
    for layer in net.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.eval()
    with torch.no_grad():
        assert smoothed == pytest.approx(float(F.cross_entropy(net(x, arch), y, label_smoothing=0.3)), abs=1e-5)
    assert abs(plain - smoothed) > 1e-3
    with pytest.raises(UsageError, match="smoothing of the rating"):
        BatchLoss(1.0)


@pytest.mark.parametrize("limit", [16, 40])
def test_the_validation_loss_is_that_of_the_first_images_whatever_the_step(limit: int) -> None:
    net = operations_net()
    run = executor(net, images(), batch_size=16)
    arch = net.space.largest()
    found = [ValidationLoss(limit)(in_training(net, run, index), [arch])[0] for index in (0, 7)]
    expected = [loss_by_hand(net, arch, x, y) * len(y) / limit for x, y in images().validation.batches(16, limit=limit)]
    assert found == pytest.approx([sum(expected)] * 2, abs=1e-5)


def test_rating_leaves_no_trace() -> None:
    net = operations_net()
    run = executor(net, images())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for rating in (BatchLoss(), ValidationLoss(32)):
        rating(in_training(net, run), list(net.space.enumerate()))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert net.training


def test_a_predictor_scores_high_what_is_good() -> None:
    archs = list(operations().space.enumerate())
    ratings = Predicted(by_code)(step(operations()), archs)
    assert [archs[place] for place in lowest(ratings, 2)] == sorted(archs, key=lambda a: by_code([a]), reverse=True)[:2]


def test_what_occurs_twice_is_rated_once() -> None:
    asked: list[int] = []

    def counting(archs: Sequence[Arch]) -> list[float]:
        asked.append(len(archs))
        return by_code(archs)

    one, other = list(operations().space.enumerate())[1:3]
    found = rated(Predicted(counting), step(operations()), [one, other, one])
    assert asked == [2]
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize("scores", [[1.0], [1.0, float("nan")], [1.0, 2.0, 3.0]])
def test_a_rating_that_is_no_rating_is_refused(scores: list[float]) -> None:
    archs = list(operations().space.enumerate())[:2]
    with pytest.raises(RunError, match="Predicted rated 2 architectures as"):
        rated(Predicted(lambda _: scores), step(operations()), archs)


# -- the best of several -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", SAMPLER_LAWS)
@pytest.mark.parametrize(
    ("sampler", "make"),
    [
        (BestOf(sampler=Uniform(3), rating=Predicted(by_code)), operations),
        (BestOf(sampler=StrictFair(), rating=Predicted(by_code), keep=2, pick="worst"), operations),
        (Sandwich(between=BestOf(sampler=Uniform(3), rating=Predicted(by_code))), elastic),
    ],
    ids=["best", "worst", "sandwich"],
)
def test_samplers_that_rate_keep_the_laws(sampler: BestOf, make: Callable[[], Supernet], law: SamplerLaw) -> None:
    law(sampler, make())


@pytest.mark.parametrize("keep", [1, 3])
@pytest.mark.parametrize("rating", [BatchLoss(), ValidationLoss(32), Predicted(by_code)], ids=["batch", "val", "own"])
def test_the_best_and_the_worst_are_the_extremes_of_the_group(rating: Rating, keep: int) -> None:
    net = operations_net()
    run = executor(net, images())
    group = Uniform(5)
    for index in range(8):
        run.begin()
        drawn = group.paths(in_training(net, run, index))
        values = dict(zip(drawn, rating(in_training(net, run, index), drawn), strict=True))
        for pick, sign in (("best", 1), ("worst", -1)):
            sampler = BestOf(sampler=group, rating=rating, keep=keep, pick=pick)  # type: ignore[arg-type]
            picked = [values[arch] for arch in sampler.paths(in_training(net, run, index))]
            assert picked == sorted((values[arch] for arch in drawn), key=lambda value: sign * value)[:keep]


def test_a_sandwich_asks_the_sampler_between_for_each_subnet() -> None:
    chosen = elastic().space.sample(np.random.default_rng(3))
    paths = Sandwich(3, between=Fixed(chosen)).paths(step(elastic()))
    assert paths == [elastic().space.largest(), chosen, chosen, chosen, elastic().space.smallest()]
    best = Sandwich(2, between=BestOf(sampler=Uniform(4), rating=Predicted(by_code)))
    pairs = {tuple(best.paths(step(elastic(), index))[1:3]) for index in range(20)}
    assert any(one != other for one, other in pairs), "both are the same draw"


def test_a_uniform_sandwich_draws_what_it_drew_without_the_option() -> None:
    for index in range(10):
        assert Sandwich(2).paths(step(elastic(), index)) == Sandwich(2, between=Uniform()).paths(step(elastic(), index))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda: BestOf(sampler=Uniform(), keep=0), "keep at least 1"),
        (lambda: BestOf(sampler=Uniform(), pick="first"), "'best' or the 'worst'"),  # type: ignore[arg-type]
        (lambda: ValidationLoss(0), "at least 1, or None"),
        (lambda: BestOf(sampler=Uniform(2), keep=3).paths(step(operations())), "Uniform drew 2 paths, of which the 3"),
        (lambda: BestOf(sampler=PathDropout()).paths(step(operations())), "PathDropout samples mixtures"),
        (lambda: BestOf(sampler=Uniform(2)).paths(step(operations())), "rated inside a training"),
        (lambda: Sandwich(between=BestOf(sampler=StrictFair())).check(elastic()), "'kernel' only exists in some"),
    ],
)
def test_what_makes_no_sense_is_refused(broken: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        broken()


# -- fresh batches -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["train", "validation"])
def test_a_fresh_batch_is_the_next_of_the_stream_at_every_call(data: str) -> None:
    net = operations_net()
    run, twin = executor(net, images()), executor(operations_net(), images())
    now, arch = in_training(net, run), net.space.smallest()
    found = [now.rate([arch], data=data, fresh=True)[0] for _ in range(3)]
    expected = []
    for _ in range(3):
        twin.feed.renew(data)
        expected.append(loss_by_hand(net, arch, *twin.batch(data)))
    assert found == pytest.approx(expected, abs=1e-5)
    assert len(set(found)) == 3
    assert run.feed.draws[data] == 3


def test_a_fresh_batch_has_the_size_of_the_training_s() -> None:
    net = operations_net()
    now = in_training(net, executor(net, images()))
    with pytest.raises(UsageError, match="Leave images out"):
        now.rate([net.space.smallest()], data="validation", images=8, fresh=True)
