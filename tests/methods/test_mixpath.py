"""MixPath: a random number of paths in every layer, drawn with the published probabilities."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from method_trials import moves, on_digits, published
from small_nets import operations_net, step
from supernet import Supernet, zoo
from supernet.errors import UsageError
from supernet.methods import mixpath
from supernet.methods.macro.mixpath import NAS_BENCH_101, SEARCH
from supernet.search import NSGA2
from supernet.train import Uniform, UniformSizes, sgd
from supernet.train.laws import SAMPLER_LAWS, SamplerLaw


def net(paths: int = 4) -> Supernet:
    return zoo.mixpath(
        paths=paths, layers=2, width_multiplier=0.25, head_width=32, in_channels=1, image_size=8, rates=(2, 3)
    )


TRIALS = {
    "mixpath": lambda: on_digits(mixpath().with_weights(lr=0.1), net()),
    "mixpath, without shadow": lambda: on_digits(
        mixpath().with_weights(lr=0.1),
        zoo.mixpath(
            shadow=False, layers=2, width_multiplier=0.25, head_width=32, in_channels=1, image_size=8, rates=(2,)
        ),
    ),
}
ALTERNATIVES = {"sampler": Uniform(), "label_smoothing": 0.1, "weights": sgd(0.1)}
SETTINGS = {"sampler": UniformSizes()}
SHORT = {"sampler": Uniform()}  # the nets by which wrappers are tried have no choice of sets
REFUSED_BY = frozenset({"k_shot"})  # unsampled weights move on


def test_defaults_are_those_of_the_released_code() -> None:
    told = published(mixpath().weights)
    assert {name: told[name] for name in ("lr", "momentum", "nesterov", "weight_decay", "per", "clip", "inactive")} == {
        "lr": 0.025,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 3e-4,
        "per": None,
        "clip": 5.0,
        "inactive": "decay",
    }
    schedule = mixpath().weights.schedule
    assert 0.025 * schedule.floor == pytest.approx(1e-8)  # type: ignore[attr-defined]
    assert NSGA2(population=40) == SEARCH
    cells = published(mixpath(**NAS_BENCH_101).weights)
    assert cells == {**told, "inactive": "freeze", "decay_vectors": False}


@pytest.mark.parametrize("paths", [1, 2, 3, 4])
def test_sizes_are_uniform_and_sets_uniform_within_a_size(paths: int) -> None:
    found = net(paths)
    archs = UniformSizes(4000).paths(step(found))
    for layer in ("layer1", "layer2"):
        counts = Counter(arch[f"{layer}.kernels"] for arch in archs)
        options = found.space.choices[found.space.column(f"{layer}.kernels")].options
        sizes = [len(option) for option in options]  # type: ignore[arg-type]
        expected = [4000 / paths / sizes.count(size) for size in sizes]
        assert stats.chisquare([counts[option] for option in options], expected).pvalue > 1e-3
        rates = Counter(arch[f"{layer}.rate"] for arch in archs)
        assert stats.chisquare([rates[2], rates[3]]).pvalue > 1e-3
    if paths > 1:
        uniform = Counter(len(arch["layer1.kernels"]) for arch in Uniform(4000).paths(step(found)))  # type: ignore[arg-type]
        assert stats.chisquare([uniform[size] for size in range(1, paths + 1)]).pvalue < 1e-9  # which is another rule


def test_layers_are_independent() -> None:
    archs = UniformSizes(6000).paths(step(net()))
    table = np.zeros((4, 4))
    for arch in archs:
        table[len(arch["layer1.kernels"]) - 1, len(arch["layer2.kernels"]) - 1] += 1  # type: ignore[arg-type]
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_in_a_subspace_the_sizes_that_are_left_are_uniform() -> None:
    found = net()
    left = found.space.restrict({"layer1.kernels": ((3,), (5,), (7,), (3, 5, 7, 9))})
    archs = UniformSizes(3000).paths(step(found).within(left))
    counts = Counter(arch["layer1.kernels"] for arch in archs)
    assert stats.chisquare([counts[k] for k in ((3,), (5,), (7,), (3, 5, 7, 9))], [500, 500, 500, 1500]).pvalue > 1e-3


@pytest.mark.parametrize("law", SAMPLER_LAWS)
@pytest.mark.parametrize("count", [1, 3])
def test_the_sampler_keeps_the_laws(law: SamplerLaw, count: int) -> None:
    law(UniformSizes(count), net())


def test_a_step_is_one_path() -> None:
    assert [(move.updates, len(move.paths)) for move in moves(mixpath(), net())] == [("weights", 1)]


def test_a_space_without_sets_is_refused_before_the_training() -> None:
    with pytest.raises(UsageError, match="is one of sets"):
        UniformSizes().check(operations_net())
    with pytest.raises(UsageError, match="at least 1"):
        UniformSizes(0)
