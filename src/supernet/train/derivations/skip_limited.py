"""The strongest operations with few skip connections (P-DARTS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.context import Context
from supernet.train.derivations.strongest import Strongest, operations_of_edges, probabilities_left
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations.operation_choices import operation_choices
from supernet.train.parametrisations.option_logits import OptionLogits


@dataclass(frozen=True, kw_only=True)
class SkipLimited:
    """The architecture of `Strongest` with at most M skip connections in a kind of cell.

    [arXiv 1904.12760](https://arxiv.org/abs/1904.12760), §3.3. As long as the architecture has more of them, the
    probability of the weakest one that it has is set to 0, and operations and edges are chosen anew, so that the next
    operation takes its place, or another edge. A skip that is the only operation left of its edge stays as it is, and
    may exceed M.

    Args:
        limit: M; None: no limit.
        skip: The option that is a skip connection.
        cell: The kind of cell, as names of choices begin up to the first dot.
        exclude: Options that may not be chosen, nor make an edge strong.
        edges: Number of edges that a node keeps; fewer where it has fewer.
        part: The part of the recipe that holds the logits.

    Raises:
        UsageError: a limit below 0, or a skip connection that is excluded.
    """

    limit: int | None = 2
    skip: str = "skip_connect"
    cell: str = "normal"
    exclude: tuple[str, ...] = ()
    edges: int = 2
    part: str = "architecture"

    def __post_init__(self) -> None:
        if self.limit is not None:
            check_number("The number of skip connections (None for no limit)", self.limit, at_least=0)
        if self.skip in self.exclude:
            raise UsageError(
                f"Skip connections were to be limited, but {self.skip!r} is excluded. Leave one of the two."
            )

    @property
    def strongest(self) -> Strongest:
        """What derives without a limit."""
        return Strongest(self.exclude, self.edges, part=self.part)

    def check(self, net: Supernet) -> None:
        self.strongest.check(net)
        limited = [c for c in operation_choices(net) if self._in_cell(c.name) and self.skip in c.options]
        if self.limit is not None and not limited:
            raise UsageError(
                f"At most {self.limit} skip connections were to be derived in the cell {self.cell!r}, but no choice of "
                f"the supernet there has an option {self.skip!r}. Use zoo.darts, name another skip or cell, or give "
                "limit=None."
            )

    def derive(self, context: Context) -> Arch:
        """The architecture.

        Raises:
            UsageError: as `Strongest.derive`.
        """
        logits = context.step.part(self.part, OptionLogits)
        probabilities = probabilities_left(context, logits)
        found = self.strongest.of(context, probabilities, probabilities, logits)
        while self.limit is not None:
            skips = self.skips(context, found)
            weakest = self._weakest(context, skips, probabilities)
            if len(skips) <= self.limit or weakest is None:
                break
            probabilities[weakest] = probabilities[weakest].clone()
            probabilities[weakest][self._position(context, weakest)] = 0
            found = self.strongest.of(context, probabilities, probabilities, logits)
        return found

    def skips(self, context: Context, arch: Arch) -> tuple[str, ...]:
        """The names of the choices of the cell that an architecture decides for the skip connection."""
        left_out = {
            op.name
            for node, edges in operations_of_edges(context.net).items()
            for edge, of in enumerate(edges)
            if edge not in _edges(arch, node)
            for op in of
        }
        names = (name for name in context.net.space.names if self._in_cell(name) and name not in left_out)
        return tuple(name for name in names if arch[name] == self.skip)

    def _weakest(self, context: Context, skips: tuple[str, ...], p: Mapping[str, Tensor]) -> str | None:
        """The weakest of some skip connections beside which another operation is left."""
        replaceable = [name for name in skips if self._others(context, name)]
        return min(replaceable, key=lambda name: float(p[name][self._position(context, name)]), default=None)

    def _others(self, context: Context, name: str) -> bool:
        allowed = context.restriction.space.allowed(name)
        return any(option != self.skip and option not in self.exclude for option in allowed)

    def _position(self, context: Context, name: str) -> int:
        space = context.net.space
        return space.choices[space.column(name)].position(self.skip)

    def _in_cell(self, name: str) -> bool:
        return name.partition(".")[0] == self.cell


def _edges(arch: Arch, node: str) -> tuple[int, ...]:
    found = arch[node]
    return found if isinstance(found, tuple) else ()
