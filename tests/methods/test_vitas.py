"""ViTAS: both ends of every width in one step, depths by their mean cost, and the settings of the released search."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from method_trials import moves, on_digits, published, squares
from small_nets import operations_net, step
from supernet import measure, zoo
from supernet.data import Mixed
from supernet.errors import UsageError
from supernet.methods import vitas
from supernet.train import DepthForCost, Fixed, Slices, Uniform, fit, sgd

tiny = partial(
    zoo.vitas,
    variant="tiny",
    num_classes=10,
    in_channels=1,
    image_size=8,
    patches=(4,),
    tenths=(6, 10),
    depths=(1, 2),
)
BOUNDED = DepthForCost(low=50_000, high=60_000)
MILD = Mixed(cutmix=1.0, probability=0.3)  # so that 100 steps are enough
TRIALS = {
    "vitas": lambda: on_digits(vitas(sampler=BOUNDED, mixed=MILD).with_weights(lr=0.01), tiny(), steps=100),
    "vitas, cyclic": lambda: on_digits(
        vitas(sampler=BOUNDED, slices="cyclic", mixed=MILD).with_weights(lr=0.01), tiny(), steps=150
    ),
}
ALTERNATIVES = {
    "sampler": Uniform(),
    "slices": "prefix",
    "sandwich": 2,
    "mixed": Mixed(cutmix=0.5),
    "label_smoothing": 0.2,
    "weights": sgd(0.1),
}
SETTINGS: dict[str, Any] = {
    "sampler": DepthForCost(low=0.9e9, high=1.0e9),
    "slices": "bilateral",
    "sandwich": None,
    "mixed": Mixed(cutmix=1.0, erase=0.25),
}
SMOOTHING = 0.1
REFUSED_BY = {"k_shot"}  # it leaves unused parameters alone
SHORT = {"sampler": Uniform(), "slices": "prefix"}  # nets of other spaces have neither such a depth nor such widths


def test_the_settings_are_those_of_the_released_search() -> None:
    weights = vitas().weights
    assert published(weights) == {
        "lr": 1e-3,
        "weight_decay": 0.05,
        "betas": (0.9, 0.999),
        "per": None,
        "clip": None,
        "inactive": "decay",
        "decay_vectors": False,
        "end": 0.0,
    }
    assert type(weights.optimiser([{"params": [torch.nn.Parameter(torch.zeros(1))]}])).__name__ == "AdamW"
    rises = [weights.schedule(step(tiny(), index, total=3000), []) for index in (0, 24, 49)]
    assert rises == pytest.approx([1 / 50, 0.5, 1.0], rel=0.02)


def test_a_step_runs_one_subnet_on_both_ends() -> None:
    (move,) = moves(vitas(sampler=Uniform()), tiny())
    (path,) = move.paths
    assert path.forward == Slices(kind="bilateral")
    (move,) = moves(vitas(sampler=Uniform(), slices="prefix"), tiny())
    assert move.paths[0].forward is None


def test_the_sandwich_has_the_extremes_around_it() -> None:
    net = tiny()
    (move,) = moves(vitas(sampler=Uniform(), sandwich=2), net)
    decided = [path.decisions for path in move.paths]
    assert (len(decided), decided[0], decided[-1]) == (4, net.space.largest(), net.space.smallest())
    assert {path.forward for path in move.paths} == {Slices(kind="bilateral")}
    assert Slices().places == 10
    program = vitas(sandwich=2).program
    assert program.sampler.between == vitas().program.sampler  # type: ignore[attr-defined]


def test_bilateral_training_reaches_channels_that_prefixes_do_not() -> None:
    """Of the smallest network alone: prefixes leave the last rows of every width as they were."""
    smallest = tiny().space.smallest()

    def moved(**options: Any) -> np.ndarray[Any, Any]:
        torch.manual_seed(0)
        net = tiny(image_size=squares().shape[1], in_channels=squares().shape[0], patches=(4,))
        recipe = vitas(sampler=Fixed(net.space.smallest()), mixed=None, **options).with_weights(
            lr=0.1, weight_decay=0.0
        )
        before = net.module.get_parameter("blocks.0.mix.1.weight").detach().clone()
        fit(net, recipe, squares(), steps=2, batch_size=8, accelerator="cpu", progress=False)
        gap = (net.module.get_parameter("blocks.0.mix.1.weight") - before).detach().abs().sum(1)
        return np.flatnonzero(gap.numpy() > 0)

    assert smallest["layer1.hidden"] == 36
    assert moved(slices="prefix").tolist() == list(range(36))
    assert moved().tolist() == list(range(60))


def test_subnets_have_the_mean_cost_that_is_asked_for() -> None:
    net = tiny()
    drawn = [moves(vitas(sampler=BOUNDED), net, index=index)[0].paths[0].decisions for index in range(60)]
    assert len(set(map(str, drawn))) > 20
    costs = [measure.macs(net, path) for path in drawn]  # type: ignore[arg-type]
    assert 40_000 <= float(np.mean(costs)) <= 70_000


def test_other_slices_are_refused() -> None:
    with pytest.raises(UsageError, match="slices 'left'"):
        vitas(slices="left")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no choice 'depth'"):
        fit(operations_net(), vitas(slices="prefix"), squares(), steps=2, batch_size=8, accelerator="cpu")
