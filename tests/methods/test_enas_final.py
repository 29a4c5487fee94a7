"""The final training of ENAS's networks: its settings, its schedule, and drop-path by depth and time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from method_trials import on_digits, published, squares
from small_nets import operations_net, step
from supernet import Supernet, zoo
from supernet.data import AllImages
from supernet.errors import UsageError
from supernet.methods import enas_final
from supernet.methods.final.enas_final import MACRO, MICRO
from supernet.nn import DropPath
from supernet.train import Auxiliary, CrossEntropy, fit, sgd
from supernet.train.laws import Trial


def cells(**options: Any) -> Supernet:
    sizes: dict[str, Any] = {"channels": 4, "layers": 3, "nodes": 1, "in_channels": 1, "image_size": 8}
    fixed: dict[str, Any] = {"auxiliary": False, "operations": ("sep_conv_3x3", "skip_connect")}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return zoo.enas_micro_final(**{**sizes, **fixed, **options})


def alone() -> Trial:
    net = cells(dropout=0)
    recipe = enas_final().with_weights(lr=0.1, schedule=sgd(0.1).schedule)
    return on_digits(recipe.alone(net.space.largest()), net, steps=60)


TRIALS = {
    "enas_final": alone,
    "enas_final, paths": lambda: on_digits(enas_final(drop_path=0).with_weights(lr=0.1), operations_net()),
}
ALTERNATIVES = {"drop_path": 0.3, "auxiliary": 0.2, "all_images": False, "weights": sgd(0.05)}
SETTINGS = {"drop_path": 0.4, "auxiliary": 0.4, "all_images": True}
SHORT = {"drop_path": 0.0}  # for nets without drop-path


def test_the_settings_of_the_two_scripts() -> None:
    now = replace(step(operations_net(), total=630), steps_per_epoch=1)
    for preset, lowest in ((MICRO, 1e-4), (MACRO, 1e-3)):
        told = published(enas_final(**preset).weights)
        assert (told["lr"], told["nesterov"], told["weight_decay"], told["clip"]) == (0.05, True, 4e-4, None)
        schedule = enas_final(**preset).weights.schedule
        rates = [0.05 * schedule(replace(now, index=epoch), []) for epoch in range(630)]
        assert [epoch for epoch, rate in enumerate(rates) if rate == pytest.approx(0.05)] == [0, 10, 30, 70, 150, 310]
        assert lowest < min(rates) < 1.01 * lowest + 1e-5
    assert enas_final(**MACRO).programs[0].objective == CrossEntropy()  # type: ignore[attr-defined]
    assert enas_final().programs[0].objective == Auxiliary(CrossEntropy(), 0.4)  # type: ignore[attr-defined]
    assert enas_final(**MACRO).settings == {}
    assert (enas_final().data, enas_final(all_images=False).data) == (AllImages(), None)


def test_drop_path_rises_with_depth_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """ℓ / (L + 2) of the setting in cell ℓ, which is 0 at first and 0.4 in the end."""
    read: list[tuple[float, float]] = []
    original = DropPath.forward

    def reading(self: DropPath, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            read.append((self.share, self.selection.setting("drop_path", 0.0)))
        return original(self, x)

    monkeypatch.setattr(DropPath, "forward", reading)
    net = cells(operations=("sep_conv_3x3",))
    recipe = enas_final(all_images=False).alone(net.space.largest())
    fit(net, recipe, squares(), steps=3, batch_size=16, accelerator="cpu", progress=False)
    shares = [number / 5 for number in range(1, 6) for _ in "xy"]
    assert [share for share, _ in read] == [pytest.approx(share) for share in shares * 3]
    assert [value for _, value in read[::10]] == [pytest.approx(value) for value in (0.0, 0.2, 0.4)]


@pytest.mark.parametrize("options", [{"drop_path": 1.0}, {"drop_path": -0.1}, {"auxiliary": -1.0}])
def test_settings_outside_their_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        enas_final(**options)
