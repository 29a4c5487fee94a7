"""Paths whose layers are held near those of an anchor (MAGIC-A)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch

from supernet.errors import UsageError
from supernet.nn import OpChoice, Supernet
from supernet.nn.batch import called, mapped, placed
from supernet.nn.input_shape import example
from supernet.nn.modes import untouched_buffers
from supernet.nn.taps import tapped
from supernet.space import Arch
from supernet.train.context import Moves
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.aligned import Aligned, check_shapes
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.ratings._protocol import Rating, only_architectures, rated
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.uniform import Uniform
from supernet.train.step import Step
from supernet.train.values._protocol import Number, check_value

_KEY = "anchor"


@dataclass(frozen=True, kw_only=True)
class AlignToAnchor:
    """One path per step, whose layers are drawn to those of an anchor, the best path so far (MAGIC-A).

    [arXiv 2108.12821](https://arxiv.org/abs/2108.12821); no code was released. The anchor runs before the path, on the
    same batch and without a gradient; see `Aligned`. The first path is the first anchor; a path that is better takes
    its place. The anchor is kept in checkpoints; where the space becomes smaller than that it lies outside, the next
    path takes its place.

    Args:
        sampler: The rule that draws the path.
        objective: The loss of the labels.
        weight: λ, the factor on the alignment.
        every: Number of steps between two comparisons of the path of the step with the anchor. A reconstruction.
        rating: The rule by which the two are compared; None: by their losses of the labels on the training batch, which
            the step has computed already. A reconstruction.
        layers: The modules that are aligned, by name below `Supernet.module`; None: every choice block.

    Raises:
        UsageError: λ is negative, or `every` below 1; before the training, a network without choice blocks or the named
            layers, or whose layers change their shape.
    """

    sampler: Sampler = field(default_factory=Uniform)
    objective: Objective = field(default_factory=CrossEntropy)
    weight: Number = 1.0
    every: int = 1
    rating: Rating | None = None
    layers: tuple[str, ...] | None = None
    parts: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        check_value("The weight of the alignment", self.weight, at_least=0)
        if self.every < 1:
            raise UsageError(f"Paths were to be compared with the anchor every {self.every} steps; give at least 1.")
        if self.layers is not None:
            object.__setattr__(self, "layers", tuple(self.layers))

    def check(self, net: Supernet) -> None:
        """Refuse networks whose layers cannot be compared; that takes a pass of their extremes."""
        self.sampler.check(net)
        names = self._layers(net)
        if net.input_shape is None:
            return
        x = mapped(example(net.input_shape, 2), lambda tensor: placed(tensor, next(net.parameters()).device))
        found = []
        for arch in (net.space.smallest(), net.space.largest()):
            with torch.no_grad(), untouched_buffers(net), net.active(arch), tapped(net.module, names) as taps:
                called(net, x)
            found.append(taps)
        for name in found[0].keys() & found[1].keys():
            check_shapes(name, found[0][name], found[1][name])

    def _layers(self, net: Supernet) -> tuple[str, ...]:
        if self.layers is not None:
            return self.layers
        blocks = tuple(name for name, module in net.module.named_modules() if isinstance(module, OpChoice))
        if not blocks:
            raise UsageError(
                f"{type(net.module).__name__} has no choice block whose outputs could be aligned. Take a space of "
                "operations, such as zoo.nasbench201, or name the layers that are to be aligned (layers)."
            )
        return blocks

    def moves(self, step: Step) -> Moves:
        (arch,) = only_architectures(self.sampler.paths(step), of=self.sampler)
        anchor = _anchor(step)
        if anchor is None or anchor == arch:
            _remember(step, arch)
            yield Move(paths=[Path(arch, self.objective)])
            return
        taps = self._layers(step.net)
        result = yield Move(
            paths=[
                Path(anchor, self.objective, learns=False, taps=taps),
                Path(arch, Aligned(self.objective, self.weight), taps=taps),
            ]
        )
        assert result is not None
        if (step.index + 1) % self.every:
            return
        before, now = result.losses[0], result.losses[1] - result.terms["alignment"]
        if self.rating is not None:
            before, now = rated(self.rating, step, [anchor, arch])
        if now < before:
            _remember(step, arch)


def _anchor(step: Step) -> Arch | None:
    kept = step.memory.get(_KEY)
    if kept is None:
        return None
    code = np.asarray([kept["code"]], dtype=np.int16)
    return step.space.wrap(code)[0] if step.space.contains(code)[0] else None


def _remember(step: Step, arch: Arch) -> None:
    if step.memory.get(_KEY, {}).get("code") != list(arch.code):
        step.memory[_KEY] = {"code": list(arch.code), "step": step.done}
