"""A phase on a part of the space: the options that are allowed, by choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from supernet.space import Option, Space


@dataclass(frozen=True)
class Only:
    """Allows the given options of some choices and all of the others, as `Phase.restrict`.

    Such options are what an earlier training has left, `{name: trained.space.allowed(name) for name in
    trained.space.names}` or its `restriction.json`.

    Args:
        options: The options that are allowed, by the names of choices.
    """

    options: Mapping[str, Sequence[Option]]

    def __call__(self, space: Space) -> Mapping[str, Sequence[Option]]:
        """The same options; the training refuses those that the space does not have."""
        return self.options
