"""MAGIC-T: the path of every step differs from the one before in exactly one choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from method_trials import moves, on_digits, published, train
from small_nets import elastic_net, operations_net
from supernet import Supernet
from supernet.methods import dynas, few_shot, gm_nas, greedynas, magic_t, spos, sum_nas
from supernet.space import Arch
from supernet.train import ComplexityAwareLR, Recipe, Reptile, sgd
from supernet.train.adapt.copies import leaves_of
from supernet.train.executor import Executor
from supernet.train.move import Move
from supernet.train.step import Step

TRIALS = {
    "magic_t": lambda: on_digits(magic_t().with_weights(lr=0.1, per=None), operations_net()),
    "magic_t, sizes": lambda: on_digits(magic_t().with_weights(lr=0.1, per=None), elastic_net()),
    "magic_t, restarted": lambda: on_digits(magic_t(restart=4).with_weights(lr=0.1, per=None), operations_net()),
}
ALTERNATIVES = {"restart": 100, "label_smoothing": 0.2, "weights": sgd(0.1)}
SETTINGS = {"restart": None}
SMOOTHING = 0.1


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Arch]]:
    """Whatever is trained from now on: the step and its path."""
    seen: list[tuple[int, Arch]] = []
    original = Executor.execute

    def noting(self: Executor, move: Move, now: Step) -> float:
        seen.extend((now.done, path.decisions) for path in move.paths if isinstance(path.decisions, Arch))
        return original(self, move, now)

    monkeypatch.setattr(Executor, "execute", noting)
    return seen


def differences(walked: list[tuple[int, Arch]]) -> list[int]:
    """In how many choices each path differs from the one before."""
    codes = np.asarray([arch.code for _, arch in walked])
    return [int(count) for count in (codes[1:] != codes[:-1]).sum(axis=1)]


def test_defaults_are_those_of_spos() -> None:
    assert published(magic_t().weights) == published(spos().weights)
    assert magic_t().program.objective == spos().program.objective  # type: ignore[union-attr]


def test_a_step_is_one_move_of_one_path() -> None:
    assert [(m.updates, m.data, len(m.paths)) for m in moves(magic_t(), operations_net())] == [("weights", "train", 1)]


@pytest.mark.parametrize(
    ("recipe", "walks"),
    [
        (magic_t(), True),
        (dynas(magic_t()), True),
        (sum_nas(magic_t()), True),
        (spos(), False),
        (dynas(), False),
        (greedynas(keep=1, candidates=2, images=16), False),
    ],
    ids=lambda value: value.name if isinstance(value, Recipe) else "",
)
def test_each_step_changes_exactly_one_choice(recipe: Recipe, walks: bool, trained: list[tuple[int, Arch]]) -> None:
    train(recipe, steps=40)
    assert [step for step, _ in trained] == list(range(40))
    assert (differences(trained) == [1] * 39) == walks


def test_a_resumed_training_walks_on(tmp_path: Path, trained: list[tuple[int, Arch]]) -> None:
    whole = train(magic_t(), steps=12, out=tmp_path / "whole")
    expected = trained.copy()
    trained.clear()
    for stop in (1, 5, 6, 12):
        parts = train(magic_t(), steps=12, out=tmp_path / "parts", resume=True, stop_after=stop)
    assert trained == expected
    assert differences(trained) == [1] * 11
    assert all(
        torch.equal(one, other)
        for one, other in zip(whole.net.state_dict().values(), parts.net.state_dict().values(), strict=True)
    )


@pytest.mark.slow
def test_paths_resemble_each_other_longer_than_those_of_spos(trained: list[tuple[int, Arch]]) -> None:
    """How often a choice is as it was k steps ago: 1/n + (1 − 1/n) (1 − n / (n − 1) / D)^k, and 1/n in SPOS."""
    n, blocks, steps = 3, 2, 600
    train(magic_t(), steps=steps)
    walked = np.asarray([arch.code for _, arch in trained])
    trained.clear()
    train(spos(), steps=steps)
    drawn = np.asarray([arch.code for _, arch in trained])
    for lag in (1, 2, 3):
        alike = 1 / n + (1 - 1 / n) * (1 - n / (n - 1) / blocks) ** lag
        assert (walked[lag:] == walked[:-lag]).mean() == pytest.approx(alike, abs=0.06), lag
        same = int((drawn[lag:] == drawn[:-lag]).sum())
        assert stats.binomtest(same, drawn[lag:].size, 1 / n).pvalue > 1e-3, lag
    assert (walked[1:] == walked[:-1]).mean() == 1 - 1 / blocks


@pytest.mark.parametrize("build", [operations_net, elastic_net])
def test_begun_anew_at_every_step_it_is_spos(build: Any) -> None:
    nets: list[Supernet] = [build(), build()]
    for net, recipe in zip(nets, (magic_t(restart=1), spos()), strict=True):
        train(recipe, net=net)
    assert all(torch.equal(a, b) for a, b in zip(*(net.state_dict().values() for net in nets), strict=True))


# -- around it -------------------------------------------------------------------------------------------------


def test_methods_around_it_keep_their_own_rules() -> None:
    assert isinstance(dynas(magic_t()).weights.schedule, ComplexityAwareLR)
    assert isinstance(sum_nas(magic_t()).program.gradient, Reptile)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "recipe",
    [few_shot(magic_t(), parent_epochs=1, leaf_epochs=1), gm_nas(magic_t(), epochs=(1, 1), repeats=1)],
    ids=["few_shot", "gm_nas"],
)
def test_every_leaf_has_a_walk_of_its_own(recipe: Recipe, trained: list[tuple[int, Arch]]) -> None:
    phases = recipe.on(operations_net().space).phases
    length = 12
    net = train(recipe, steps=length * len(phases)).net
    leaves: list[set[int]] = []
    for begin in range(0, length * len(phases), length):
        walked = [entry for entry in trained if begin <= entry[0] < begin + length]
        assert differences(walked) == [1] * (length - 1)
        leaves.append({leaves_of(net).leaf(arch) for _, arch in walked})
    assert leaves[1:] == [{leaf} for leaf in range(len(phases) - 1)]
