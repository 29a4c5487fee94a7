"""A few cells mix operations, the others run the architecture derived so far (EnTranNAS)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from torch import nn

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.output import Output
from supernet.nn.scope import mixing_layers, scoped
from supernet.train.context import Context
from supernet.train.derivations._protocol import Derivation
from supernet.train.derivations.strongest import Strongest
from supernet.train.executor import Executor
from supernet.train.move import Path
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class EngineAndTransit:
    """The decisions of the path in the engine cells, and in the transit cells what would be derived now.

    [arXiv 2101.11342](https://arxiv.org/abs/2101.11342). The cells of a kind are those that share their choices; what
    stands alone in the network is an engine.

    Args:
        engines: The number of engine cells of each kind, the first ones of the network.
        derive: The rule by which the architecture of the transit cells is derived, anew in every pass.

    Raises:
        UsageError: fewer than one.
    """

    engines: int = 1
    derive: Derivation = field(default_factory=Strongest)

    def __post_init__(self) -> None:
        if self.engines < 1:
            raise UsageError(
                f"{self.engines} cells of each kind were to be engine cells; give at least 1, since only they learn "
                "the architecture."
            )

    def __call__(self, step: Step, path: Path, batch: Batch) -> Output:
        """One pass on images (B, C, H, W)."""
        derived = self.derive.derive(Context(step, cast(Executor, step.runner)))
        with scoped(step.net, self.transit(step.net), derived):
            return step.forward(path.decisions, batch, settings=path.settings)

    def transit(self, net: Supernet) -> Iterator[nn.Module]:
        """The nodes and choice blocks of the transit cells."""
        for layers in mixing_layers(net).values():
            yield from layers[self.engines :]
