"""How often each candidate of a supernet was trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from supernet.errors import RunError
from supernet.nn import Decision, Decisions, EdgeWeights, Mixture
from supernet.space import Arch, Space


class UpdateCounts:
    """Counts the paths that trained each option of each choice.

    An architecture trains one option of every choice that matters in it; a subset trains all of its options; a mixture
    those it computes with a weight other than 0. An option that sets a size shares its weights with larger ones, so its
    count says how often the supernet was run at that size.

    Args:
        space: The space of the supernet.
        kept: Where the counts live: by choice, one number per option. An empty dictionary is filled; a checkpoint that
            holds it needs to know nothing else.

    Raises:
        RunError: `kept` holds the counts of another space.

    >>> from supernet import Choice
    >>> space = Space([Choice("op", ("conv", "skip"))])
    >>> counts = UpdateCounts(space)
    >>> for option in ("conv", "skip", "conv"):
    ...     counts.observe(space.arch({"op": option}))
    >>> counts.rows()
    [('op', 'conv', 2), ('op', 'skip', 1)]
    """

    def __init__(self, space: Space, kept: dict[str, list[int]] | None = None) -> None:
        self.space = space
        self._kept = {} if kept is None else kept
        if not self._kept:
            self._kept |= {choice.name: [0] * len(choice) for choice in space.choices}
        elif {name: len(counts) for name, counts in self._kept.items()} != {c.name: len(c) for c in space.choices}:
            raise RunError(
                "The update counts of the checkpoint belong to another space. Resume with the supernet of that "
                "training, or start a new one."
            )

    def observe(self, decisions: Arch | Decisions) -> None:
        """Count one path that has trained the weights."""
        if isinstance(decisions, Arch):
            for name, index, active in zip(self.space.names, decisions.code, decisions.active, strict=True):
                if active:
                    self._kept[name][index] += 1
            return
        for name, decision in decisions.items():
            counts = self._kept.get(name, [])  # a node that has no choice counts nothing
            for index in _trained(decision):
                counts[index] += 1

    def rows(self) -> list[tuple[str, Any, int]]:
        """(choice, option, paths) for every option, in the order of the space."""
        return [
            (choice.name, option, count)
            for choice in self.space.choices
            for option, count in zip(choice.options, self._kept[choice.name], strict=True)
        ]

    def to_json(self) -> list[dict[str, Any]]:
        """Per choice its name, its options, and the paths that trained each."""
        return [
            {"choice": choice.name, "options": list(choice.options), "paths": list(self._kept[choice.name])}
            for choice in self.space.choices
        ]

    @classmethod
    def from_json(cls, space: Space, data: Iterable[Mapping[str, Any]]) -> UpdateCounts:
        """Read what `to_json` has written.

        Raises:
            RunError: these are the counts of another space.
        """
        return cls(space, {row["choice"]: list(row["paths"]) for row in data})


def _trained(decision: Decision) -> Iterable[int]:
    if isinstance(decision, int):
        return (decision,)
    if isinstance(decision, EdgeWeights):
        return ()  # weighs edges, not options
    if not isinstance(decision, Mixture):
        return decision
    weights = decision.weights.detach().tolist()
    computed = range(len(weights)) if decision.run is None else decision.run
    return [index for index in computed if weights[index] != 0]
