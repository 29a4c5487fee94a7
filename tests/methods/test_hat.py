"""HAT: the settings of its four scripts, and one uniform path a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from method_trials import moves, on_digits, published
from small_nets import elastic_net, operations_net, step
from supernet import Arch
from supernet.methods import hat
from supernet.methods.elastic.hat import IWSLT, IWSLT_FINAL, WMT, WMT_FINAL
from supernet.train import TokenCrossEntropy, sgd

TRIALS = {"hat": lambda: on_digits(hat().with_weights(lr=0.04, schedule=sgd(0.1).schedule), operations_net())}
ALTERNATIVES = {"label_smoothing": 0.2, "weights": sgd(0.1)}
SETTINGS: dict[str, Any] = {}
SMOOTHING = 0.1


@pytest.mark.parametrize(
    ("preset", "updates", "warmup", "peak", "weight_decay", "clip"),
    [
        (WMT, 40_000, 10_000, 1e-3, 0.0, None),
        (WMT_FINAL, 40_000, 4_000, 1e-3, 0.0, None),
        (IWSLT, 50_000, 10_000, 5e-4, 1e-4, 25.0),
        (IWSLT_FINAL, 50_000, 4_000, 5e-4, 1e-4, 25.0),
    ],
)
def test_settings_are_those_of_the_scripts(
    preset: dict[str, Any], updates: int, warmup: int, peak: float, weight_decay: float, clip: float | None
) -> None:
    weights = hat(**preset).weights
    told = published(weights)
    assert (told["lr"], told["betas"], told["weight_decay"], told["clip"]) == (peak, (0.9, 0.98), weight_decay, clip)
    assert weights.optimiser.decoupled is True  # type: ignore[attr-defined]
    net = operations_net()

    def rate(index: int) -> float:
        return peak * weights.schedule(step(net, index, total=updates), [])

    assert rate(0) == pytest.approx(peak / warmup)  # 1e-7 of WMT's supernet
    assert rate(warmup // 2 - 1) == pytest.approx(peak / 2)
    assert rate(warmup - 1) == pytest.approx(peak)
    middle = (updates + warmup) // 2
    if preset in (WMT, WMT_FINAL):
        assert rate(middle) == pytest.approx((peak + 1e-7) / 2)
        assert rate(updates - 1) == pytest.approx(1e-7, rel=0.1)
    else:
        assert rate(middle - 1) == pytest.approx(peak * (warmup / middle) ** 0.5)


def test_a_step_is_one_uniform_path_that_the_seed_decides() -> None:
    net = elastic_net()
    (move,) = moves(hat(), net)
    assert (move.updates, move.data, len(move.paths)) == ("weights", "train", 1)
    assert move.paths[0].objective == TokenCrossEntropy(0.1)
    drawn = [_arch(net, index) for index in range(200)]
    assert drawn == [_arch(net, index) for index in range(200)]
    for place, choice in enumerate(net.space.choices):
        if choice.when is None:
            counts = np.bincount([arch.code[place] for arch in drawn], minlength=len(choice))
            assert counts.min() > 0.5 * 200 / len(choice)


def _arch(net: Any, index: int) -> Arch:
    (move,) = moves(hat(), net, index=index, total=1000)
    found = move.paths[0].decisions
    assert isinstance(found, Arch)
    return found
