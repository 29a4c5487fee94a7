"""Any optimiser of torch, or of one's own, as a value."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from supernet.errors import UsageError
from supernet.train.optimisers._protocol import Groups, check_number, check_per


@dataclass(frozen=True, kw_only=True)
class TorchOptimiser:
    """An optimiser that torch or another package brings, by name: what can be written in a file and resumed.

    In Python `functools.partial(torch.optim.AdamW, lr=1e-3)` does as well.

    Args:
        name: The class: a name of `torch.optim`, such as `NAdam`, or `module:Class`.
        lr: The learning rate η.
        settings: Its further arguments by name.
        per: Number of images per batch that `lr` is meant for, with which it scales linearly; None: `lr` holds for
            every batch.

    Raises:
        UsageError: there is no such class, or a setting is outside its range; where it steps, one that the class
            does not take.

    >>> TorchOptimiser(name="NAdam", lr=1e-3, settings={"weight_decay": 0.01}).kind.__name__
    'NAdam'
    """

    name: str
    lr: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    per: int | None = None

    def __post_init__(self) -> None:
        check_number("The learning rate lr", self.lr, at_least=0)
        check_per(self.per)
        _ = self.kind

    @property
    def kind(self) -> type[torch.optim.Optimizer]:
        """The class."""
        module, _, name = self.name.rpartition(":")
        try:
            found = getattr(importlib.import_module(module or "torch.optim"), name)
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"There is no optimiser {self.name!r} ({error}). Give the name of a class of torch.optim, such as "
                "AdamW, or module:Class."
            ) from error
        if not isinstance(found, type) or not issubclass(found, torch.optim.Optimizer):
            raise UsageError(f"{self.name!r} is no class of optimisers; give one such as AdamW, or module:Class.")
        return found

    def __call__(self, groups: Groups, /) -> torch.optim.Optimizer:
        """The optimiser on these groups."""
        kind: Any = self.kind
        try:
            made: torch.optim.Optimizer = kind(groups, lr=self.lr, **self.settings)
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"The optimiser {self.name} refuses its settings {dict(self.settings)}: {error}."
            ) from error
        return made
