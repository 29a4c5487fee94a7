"""A small network of three stages with a head, and teachers for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from method_trials import digits, squares
from small_nets import executor
from supernet import OpChoice, Supernet
from supernet.measure import Subnet
from supernet.nn import batch_norm
from supernet.train import Setting, Step, TappedTeacher, Trained
from supernet.train.executor import Executor
from supernet.train.parts.tapped_teacher import Tapped

STAGES = (("stem", "one"), ("two",), ("three",))
"""The stages of `Row`, as it says them."""
WIDTHS = (4, 6, 8)


def operation(width_in: int, width_out: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width_in, width_out, kernel, stride=stride, padding=kernel // 2, bias=False),
        batch_norm(width_out, statistics="track"),
        nn.ReLU(),
    )


def layer(name: str, width_in: int, width_out: int, stride: int = 1) -> OpChoice:
    return OpChoice(name, {f"conv{kernel}": operation(width_in, width_out, kernel, stride) for kernel in (1, 3)})


class Row(nn.Module):
    """Stem, three stages of one, two and one choices, head; 8x8 images, maps of 4, 4 and 2 pixels."""

    stage_names = STAGES

    def __init__(self, widths: tuple[int, int, int] = WIDTHS, classes: int = 10) -> None:
        super().__init__()
        a, b, c = widths
        self.stem = nn.Sequential(nn.Conv2d(1, a, 3, stride=2, padding=1, bias=False), batch_norm(a), nn.ReLU())
        self.one = layer("a", a, a)
        self.two = nn.Sequential(layer("b", a, b), layer("c", b, b))
        self.three = layer("d", b, c, stride=2)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, classes))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.three(self.two(self.one(self.stem(x)))))
        return out


def staged_net(seed: int = 0, widths: tuple[int, int, int] = WIDTHS) -> Supernet:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Supernet(Row(widths), input_shape=(1, 8, 8))


class Plain(nn.Module):
    """A teacher that is no supernet: three modules, and a head."""

    def __init__(self, widths: tuple[int, int, int] = WIDTHS) -> None:
        super().__init__()
        a, b, c = widths
        self.first, self.second, self.third = operation(1, a, 3, 2), operation(a, b, 3, 1), operation(b, c, 3, 2)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 10))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.third(self.second(self.first(x))))
        return out


TAPS = ("first", "second", "third")


def plain() -> nn.Module:
    """A teacher whose features are as large as those of `staged_net()`."""
    return Plain()


def wide() -> nn.Module:
    """A teacher with more channels."""
    return Plain((5, 7, 9))


def tapped_teacher(net: Supernet, **options: Any) -> Tapped:
    """A teacher of `net`, built once; `plain` unless told otherwise."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return TappedTeacher(**({"network": plain, "taps": TAPS} | options))(Setting(net, 0, {}))


def running(net: Supernet, **parts: nn.Module) -> tuple[Executor, Step]:
    """An executor and a step of it."""
    run = executor(net, squares())
    return run, Step(3, 10, net, np.random.default_rng(0), runner=run, parts=parts)


def closer(trained: Trained) -> float:
    """By what factor the rating of five subnets fell."""
    rng = np.random.default_rng(0)
    archs = [trained.net.space.sample(rng) for _ in range(5)]
    rating: Any = trained.recipe.ranks_by
    before, after = (
        sum(rating(Subnet(net, arch, trained.parts, kept, digits())) for arch in archs)
        for net, kept in ((staged_net(), dict[Any, Any]()), (trained.net, dict[Any, Any]()))
    )
    return before / after
