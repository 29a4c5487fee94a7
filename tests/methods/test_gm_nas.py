"""GM-NAS: leaves that double from stage to stage, divided by their gradients."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from method_trials import on_digits, published, train
from small_nets import elastic_net, operations_net
from supernet.errors import UsageError
from supernet.methods import dynas, few_shot, gm_nas, spos
from supernet.train import load_weights
from supernet.train.phases import plan

SHORT: dict[str, Any] = {"epochs": (1, 1), "repeats": 2}
TRIALS = {
    "gm_nas": lambda: on_digits(gm_nas(**SHORT).with_weights(lr=0.3), operations_net(), steps=180),
    "gm_nas, sizes": lambda: on_digits(gm_nas(**SHORT, restart="never").with_weights(lr=0.2), elastic_net(), steps=80),
}
ALTERNATIVES = {
    "recipe": spos(),
    "epochs": (5, 6),
    "repeats": 101,
    "balanced": False,
    "restart": "never",
    "schedule_over": "stage",
}
SETTINGS = {
    "epochs": (20, 20, 50),
    "repeats": 100,
    "balanced": True,
    "restart": "final",
    "schedule_over": "training",
}
REFUSES = {"darts", "few_shot", "gm_nas", "k_shot"}


def test_defaults_are_the_released_ones() -> None:
    assert published(gm_nas().weights) == {
        "lr": 0.025,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 1e-4,
        "per": None,
        "clip": 5.0,
        "inactive": "decay",
        "decay_vectors": True,
        "end": 0.04,
    }


def test_gm_nas_doubles_its_leaves_from_stage_to_stage() -> None:
    phases = gm_nas().on(operations_net().space).phases
    assert [stretch.steps for stretch in plan(phases, 26000)] == [2000, 2000, 2000, 5000, 5000, 5000, 5000]
    splits = {phase.name: phase.enter for phase in phases if phase.enter is not None}
    assert {name: split.fresh for name, split in splits.items()} == {"stage 1, leaf 0": False, "stage 2, leaf 0": True}
    never = gm_nas(restart="never").on(operations_net().space)
    assert not any(phase.enter.fresh for phase in never.phases if phase.enter is not None)
    assert all(phase.restart for phase in phases)


def cosine(position: float) -> float:
    """From 0.025 to 0.001."""
    return 0.001 + 0.024 * (1 + math.cos(math.pi * position)) / 2


@pytest.mark.parametrize(
    ("options", "positions"),
    [
        ({}, [0, 1, *[2, 3] * 2, *[0, 1, 2, 3, 4] * 4]),
        ({"restart": "never"}, [0, 1, *[2, 3] * 2, *[4, 5, 6, 7, 8] * 4]),
    ],
)
def test_one_cosine_spans_the_stages_of_a_leaf(options: dict[str, Any], positions: list[int]) -> None:
    """As in the released command: of 2 + 2 + 5 steps, and leaves with fresh weights begin it again."""
    rates = [row["lr"] for row in train(gm_nas(epochs=(2, 2, 5), repeats=1, **options), steps=26, log_every=1).history]
    assert rates == pytest.approx([cosine(position / 9) for position in positions])


def test_or_a_cosine_spans_every_stage() -> None:
    recipe = gm_nas(epochs=(2, 2, 5), repeats=1, schedule_over="stage")
    rates = [row["lr"] for row in train(recipe, steps=26, log_every=1).history]
    expected = [cosine(p / 2) for p in [0, 1] * 3] + [cosine(p / 5) for p in [*range(5)] * 4]
    assert rates == pytest.approx(expected)


def test_the_split_is_the_released_one() -> None:
    splits = [phase.enter for phase in gm_nas().on(operations_net().space).phases if phase.enter is not None]
    assert {(split.repeats, split.balanced) for split in splits} == {(100, True)}


def test_gm_nas_splits_by_the_data() -> None:
    net = train(gm_nas(epochs=(1, 1, 1), repeats=1), steps=7).net
    spaces = net.module.spaces
    assert sum(space.size for space in spaces) == net.space.size
    assert len(spaces) == 4
    assert all(space.size < net.space.size for space in spaces)


def test_a_run_is_loaded_with_its_partition(tmp_path: Path) -> None:
    recipe = gm_nas(**SHORT)
    net = train(recipe, steps=6, out=tmp_path).net.eval()
    loaded = recipe.adapted(operations_net(seed=3))
    load_weights(loaded, tmp_path)
    assert all(loaded.module.leaf(arch) == net.module.leaf(arch) for arch in net.space.enumerate())
    states = (loaded.state_dict(), net.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="split 3 times in succession, but only 2"):
        train(gm_nas(epochs=(1, 1, 1, 1)))
    with pytest.raises(UsageError, match="two or more"):
        gm_nas(epochs=(1,))
    with pytest.raises(UsageError, match="'final', 'never'"):
        gm_nas(restart="sometimes")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="'training', 'stage'"):
        gm_nas(schedule_over="epoch")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="gm_nas makes several sets of weights of one supernet, but 'few_shot'"):
        gm_nas(few_shot())


def test_every_leaf_is_trained_by_the_method_it_goes_around() -> None:
    recipe = gm_nas(dynas(spos()), **SHORT)
    assert (recipe.name, recipe.weights) == ("gm_nas(dynas(spos))", dynas(spos()).weights)
    assert recipe.samplers == spos().samplers
