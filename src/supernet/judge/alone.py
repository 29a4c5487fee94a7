"""One architecture trained alone, from fresh weights, and measured."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from supernet.data import ImageData
from supernet.errors import UsageError
from supernet.measure import Calibration, scores
from supernet.measure.scores.calibration import DEFAULT
from supernet.measure.untouched import placed_like
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train import Recipe, fit
from supernet.train.recipe import describe


@dataclass(frozen=True, kw_only=True)
class Regime:
    """How architectures are trained alone and measured; everything a figure depends on but the architecture and seed.

    Attributes:
        build: Makes the network with fresh weights, drawn from torch's generator.
        recipe: Optimiser, schedule and objective, as `Recipe.alone` takes them for one architecture.
        data: Images.
        steps: Training steps.
        batch_size: Images per step.
        split: What is measured on.
        calibration: BatchNorm statistics for the measurement; None keeps those of the training.
        accelerator: As in `fit`.
    """

    build: Callable[[], Supernet]
    recipe: Recipe
    data: ImageData
    steps: int
    batch_size: int = 64
    split: Literal["validation", "test"] = "validation"
    calibration: Calibration | None = DEFAULT
    accelerator: str = "auto"

    def __post_init__(self) -> None:
        if self.split not in ("validation", "test"):
            raise UsageError(f"Architectures are measured on 'validation' or 'test' images; got {self.split!r}.")

    def measured(self) -> ImageData:
        """The data with what is measured on as validation images."""
        return self.data if self.split == "validation" else replace(self.data, validation=self.data.test)

    def describe(self, net: Supernet) -> dict[str, Any]:
        """The regime as JSON, to recognise trainings made by it."""
        alone = self.recipe.alone(net.space.smallest()).describe()
        shapes = repr([(name, tuple(value.shape)) for name, value in net.state_dict().items()])
        return {
            "network": hashlib.sha256(shapes.encode()).hexdigest()[:16],
            "weights": alone["weights"],
            "program": {name: value for name, value in alone["program"].items() if name != "sampler"},
            "data": self.data.fingerprint(),
            "steps": self.steps,
            "batch_size": self.batch_size,
            "split": self.split,
            "calibration": describe(self.calibration),
        }


@dataclass(frozen=True)
class Training:
    """What came of one training.

    Attributes:
        accuracy: Top-1 accuracy, 0 … 1.
        loss: Mean cross-entropy in nats.
        seconds: Time of training and measuring.
    """

    accuracy: float
    loss: float
    seconds: float


class Alone:
    """Trains architectures alone, one at a time, inside one supernet that starts afresh every time.

    The initial weights are those the supernet has when built under the seed, so a training is a function of
    architecture, seed and regime, whatever was trained before. Only parameters that the architecture uses are
    given to the optimiser.

    Args:
        regime: How.
    """

    def __init__(self, regime: Regime) -> None:
        self.regime = regime
        self.net = regime.build()
        self._fresh: tuple[int, dict[str, Tensor]] | None = None

    def __call__(self, arch: Arch, seed: int) -> Training:
        """Train and measure one architecture.

        Raises:
            UsageError: the architecture is not of this space, or the regime does not suit the network.
            RunError: the training diverged.
        """
        began, regime = time.perf_counter(), self.regime
        recipe = regime.recipe.alone(arch)
        for phase in recipe.phases:
            phase.program.check(self.net)
        self._restart(seed)
        data = regime.measured()
        used = _used_parameters(self.net, arch, data)
        self._restart(seed)  # the probe has moved BatchNorm statistics
        with _only(self.net, used):
            fit(
                self.net,
                recipe,
                data,
                steps=regime.steps,
                batch_size=regime.batch_size,
                seed=seed,
                accelerator=regime.accelerator,
                log_every=regime.steps,
                progress=False,
            )
        found = scores(self.net, arch, data, calibration=regime.calibration)
        return Training(found.accuracy, found.loss, time.perf_counter() - began)

    def _restart(self, seed: int) -> None:
        if self._fresh is None or self._fresh[0] != seed:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                self._fresh = seed, self.regime.build().state_dict()
        self.net.load_state_dict(self._fresh[1])


def reinitialised(net: Supernet) -> Supernet:
    """A copy whose weights are drawn afresh from torch's generator, by `reset_parameters` of each of its layers.

    An initialisation that the network gave its layers afterwards is not repeated; where it matters, build the
    network anew.

    Raises:
        UsageError: a parameter belongs to a module that has no `reset_parameters`.
    """
    fresh = copy.deepcopy(net)
    for name, module in fresh.named_modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
        elif own := [key for key, _ in module.named_parameters(recurse=False)]:
            raise UsageError(
                f"The parameters {', '.join(own)} of {name or 'the network'} ({type(module).__name__}) cannot be drawn "
                "afresh, because it has no reset_parameters(). Give it one, or pass a function that builds the network."
            )
    return fresh


def _used_parameters(net: Supernet, arch: Arch, data: ImageData) -> set[nn.Parameter]:
    """Those that get a gradient when the architecture runs."""
    net.train()
    batch = next(data.validation.batches(2, limit=2))
    with torch.random.fork_rng():
        net(placed_like(net, batch.x), arch).sum().backward()
    used = {parameter for parameter in net.parameters() if parameter.grad is not None}
    net.zero_grad()
    return used


@contextmanager
def _only(net: Supernet, used: set[nn.Parameter]) -> Iterator[None]:
    """Inside, the other parameters need no gradient."""
    others = [parameter for parameter in net.parameters() if parameter.requires_grad and parameter not in used]
    for parameter in others:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)
