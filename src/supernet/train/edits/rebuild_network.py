"""The network is built anew with other sizes, such as with more cells (P-DARTS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.context import Context
from supernet.train.edits.keep_strongest import KeepStrongest
from supernet.train.rewriting import Rebuilds


@dataclass(frozen=True, kw_only=True)
class RebuildNetwork:
    """Builds the network anew over the same choices, with fresh weights, at the beginning of a phase.

    Args:
        options: The arguments of the network that change, as `zoo.darts` has them: `{"layers": 11}`.
        keep: What forbids options first, by what was learned about them; None: nothing.
        afresh: Parts of the recipe that begin anew too, such as the architecture parameters.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    keep: KeepStrongest | None = None
    afresh: tuple[str, ...] = ("architecture",)

    rewrites = True

    def check(self, net: Supernet) -> None:
        """Raise a UsageError, before any training, for a network that cannot be built with these options."""
        if not isinstance(net.module, Rebuilds):
            raise UsageError(
                f"The network is to be built anew with {dict(self.options)} along the way, but "
                f"{type(net.module).__name__} has no method `rebuilt`. Use a space of cells such as zoo.darts."
            )
        with torch.random.fork_rng(devices=()), torch.device("meta"):
            net.module.rebuilt(**self.options)

    def __call__(self, context: Context) -> None:
        """Forbid options, build the network, then the parts."""
        assert context.rewriter is not None
        assert context.rebuild is not None
        if self.keep is not None:
            self.keep(context)
        context.rewriter.rebuild(self.options)
        for part in self.afresh:
            context.rebuild(part)
