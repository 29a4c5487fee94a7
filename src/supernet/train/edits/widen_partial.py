"""Operations on a part of the channels get a larger part of them (DrNAS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.context import Context
from supernet.train.edits.keep_strongest import KeepStrongest


@runtime_checkable
class Widens(Protocol):
    """A module that runs something on a part of its channels, which have a name."""

    def widenings(self, partial: int) -> Mapping[str, tuple[int, int] | tuple[str, str]]:
        """By dimension the present and the new width, or the two dimensions that it joins."""
        ...


@dataclass(frozen=True, kw_only=True)
class WidenPartial:
    """Lets operations that run on 1/K of the channels run on more of them, at the beginning of a phase.

    [arXiv 2006.10355](https://arxiv.org/abs/2006.10355), progressive learning; Net2WiderNet
    ([arXiv 1511.05641](https://arxiv.org/abs/1511.05641)). The channels that an operation had stay, and each new one
    repeats one of them that is drawn at random: filters, statistics, states of optimisers and the running average. All
    operations of a cell repeat the same ones, so that an operation of repeated channels gives what it gave, repeated.

    Args:
        partial: K from now on, less than before and a divisor of all widths.
        share: Whether weights that read a repeated channel are divided among its repeats, as in Net2WiderNet; without
            it they are copied, as in the authors' code, where each layer also draws repeats of its own.
        keep: What forbids options first, by what was learned about them; None: nothing.

    Raises:
        UsageError: K below 1.
    """

    partial: int
    share: bool = True
    keep: KeepStrongest | None = None

    rewrites = True

    def __post_init__(self) -> None:
        if self.partial < 1:
            raise UsageError(f"Operations were to run on 1/{self.partial} of the channels; give 1 or more.")

    def check(self, net: Supernet) -> None:
        """Raise a UsageError, before any training, for a network whose operations cannot be widened like this."""
        self._widenings(net)

    def __call__(self, context: Context) -> None:
        """Forbid options, then widen."""
        assert context.rewriter is not None
        if self.keep is not None:
            self.keep(context)
        keep: dict[str, list[int]] = {}
        widths: dict[str, int] = {}
        with context.step.seeded("repeated channels") as rng:
            for name, (first, second) in self._widenings(context.net).items():
                if isinstance(first, int) and isinstance(second, int):
                    widths[name] = first
                    keep[name] = [*range(first), *rng.integers(first, size=second - first).tolist()]
                else:
                    keep[name] = [*keep[str(first)], *(widths[str(first)] + place for place in keep[str(second)])]
        for name, places in keep.items():
            context.rewriter.take(name, places, share=self.share)

    def _widenings(self, net: Supernet) -> dict[str, tuple[int, int] | tuple[str, str]]:
        found: dict[str, tuple[int, int] | tuple[str, str]] = {}
        for module in net.modules():
            if isinstance(module, Widens):
                found |= module.widenings(self.partial)
        if not found:
            raise UsageError(
                f"Operations were to run on 1/{self.partial} of the channels, but those of {type(net.module).__name__} "
                "run on all of them. Use a space such as zoo.darts(partial=6)."
            )
        return found
