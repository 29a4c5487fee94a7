"""The final training of cells on ImageNet: schedule, smoothing, variants."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from method_trials import on_digits, published, train
from small_nets import operations_net, step
from supernet import Supernet, zoo
from supernet.errors import UsageError
from supernet.methods import darts_imagenet
from supernet.methods.final.darts_imagenet import CDARTS, DOTS, DRNAS, GDAS, PC_DARTS
from supernet.train import Auxiliary, CrossEntropy, sgd
from supernet.train.laws import Trial


def cells(**options: Any) -> Supernet:
    tiny = {"channels": 4, "layers": 3, "nodes": 1, "operations": ("skip_connect", "sep_conv_3x3"), "in_channels": 1}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return zoo.darts(
            **{**tiny, "stem_multiplier": 1, "image_size": 8, "affine": True, "auxiliary": True, **options}
        )  # type: ignore[arg-type]


def alone() -> Trial:
    net = cells()
    return on_digits(darts_imagenet(drop_path=0.1).alone(net.space.largest()), net, steps=60)


TRIALS = {"darts_imagenet": alone}
ALTERNATIVES = {"drop_path": 0.1, "auxiliary": 0.2, "label_smoothing": 0.0, "weights": sgd(0.05)}
SETTINGS = {"drop_path": 0.0, "auxiliary": 0.4}
SMOOTHING = 0.1


def rates(recipe: Any, *, epochs: int = 250) -> list[float]:
    base = published(recipe.weights)["lr"]
    net = operations_net()
    nows = (replace(step(net, epoch, total=epochs), steps_per_epoch=1) for epoch in range(epochs))
    return [base * recipe.weights.schedule(now, []) for now in nows]


def test_defaults_are_the_official_ones() -> None:
    told = published(darts_imagenet().weights)
    assert (told["lr"], told["momentum"], told["nesterov"], told["weight_decay"], told["clip"]) == (
        0.1, 0.9, False, 3e-5, 5.0,
    )  # fmt: skip
    assert rates(darts_imagenet()) == pytest.approx([0.1 * 0.97**epoch for epoch in range(250)])
    assert not darts_imagenet().settings
    assert darts_imagenet().data is None
    assert darts_imagenet().programs[0].objective == Auxiliary(CrossEntropy(0.1), 0.4)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("preset", "lr", "way"),
    [
        (PC_DARTS, 0.5, lambda share: 1 - share),
        (DRNAS, 0.5, lambda share: 1 - share),
        (DOTS, 0.5, lambda share: (1 + math.cos(math.pi * share)) / 2),
        (CDARTS, 0.5, lambda share: (1 + math.cos(math.pi * share)) / 2),
        (GDAS, 0.1, lambda share: (1 + math.cos(math.pi * share)) / 2),
    ],
)
def test_variants_rise_for_five_epochs_and_fall_as_in_their_papers(preset: dict[str, Any], lr: float, way: Any) -> None:
    found = rates(darts_imagenet(**preset))
    expected = [lr * min(1, (epoch + 1) / 5) * way(epoch / 250) for epoch in range(250)]
    assert found == pytest.approx(expected)
    told = published(darts_imagenet(**preset).weights)
    assert told["weight_decay"] == 3e-5
    assert (told["nesterov"], told["clip"]) == ((True, None) if preset is GDAS else (False, 5.0))


def test_the_stem_of_imagenet_trains_with_its_auxiliary_head() -> None:
    net = cells(stem="imagenet", image_size=8)
    row = train(darts_imagenet(drop_path=0.2).alone(net.space.smallest()), net=net, steps=2).history[-1]
    assert row["loss"] == pytest.approx(row["term/loss"] + row["term/auxiliary"], rel=1e-5)


def test_drop_path_outside_its_range_is_refused() -> None:
    with pytest.raises(UsageError, match="The probability of drop-path is 1"):
        darts_imagenet(drop_path=1.0)
