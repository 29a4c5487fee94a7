"""The angle between the initial and the trained weights of a subnet (ABS, RLNAS)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from supernet.errors import UsageError
from supernet.measure.scores.score import Subnet
from supernet.measure.scores.weight_vectors import Ends, Identity, WeightVectors
from supernet.nn import Supernet


@dataclass(frozen=True, kw_only=True)
class Angle:
    """arccos(⟨v₀, v⟩ / (|v₀| |v|)) in radians, 0 … π; the larger, the faster a subnet has learned (RLNAS, eq. 4).

    v₀ and v are the weights of the subnet before and after the training of the supernet, as one vector each (ABS,
    [arXiv 2004.13431](https://arxiv.org/abs/2004.13431), algorithm 1): those of all convolutions and linear layers that
    run. In a cell they are those along every path from an input to an end, so that an edge counts as often as paths go
    through it; a path with `none` is left out. A pooling of a choice has a kernel of 1/k² that never changes, an
    identity nothing. A subnet of cells without any path has an angle of 0. Products are summed in float64.

    Args:
        initial: The part of the recipe that holds the initial weights, a `CopyOfNet`.
        ends: Where paths through cells end: at every node that the cell returns (`"outputs"`, RLNAS), or at the last
            one (`"last"`, ABS on the cells of DARTS).
        identity: What an identity adds: nothing (`"empty"`, the paper), or an identity matrix (`"eye"`, RLNAS's
            released code on MobileNet and DARTS).
        vectors: Whether biases and the scales and shifts of norms belong to the vectors too, as in RLNAS's released
            code on NAS-Bench-201.

    Raises:
        UsageError: an unknown value.
    """

    initial: str = "initial"
    ends: Ends = "outputs"
    identity: Identity = "empty"
    vectors: bool = False

    name: ClassVar[str] = "angle"
    goal: ClassVar[Literal["max", "min"]] = "max"
    unit: ClassVar[str] = "rad"

    def __post_init__(self) -> None:
        for name, known in (("ends", Ends), ("identity", Identity)):
            if getattr(self, name) not in get_args(known):
                raise UsageError(f"The angle's {name} is {getattr(self, name)!r}; use one of {get_args(known)}.")

    def __call__(self, subnet: Subnet) -> float:
        """The angle of a subnet.

        Raises:
            UsageError: the initial weights are missing, or those of another network; or nodes that are no cell.
        """
        key = (self, id(subnet.net))
        if key not in subnet.kept:
            subnet.kept[key] = self._vectors(subnet)
        products = subnet.kept[key].products(subnet.arch)
        if products is None:
            return 0.0
        before, now, both = products.tolist()
        length = math.sqrt(before) * math.sqrt(now)
        if not math.isfinite(length):
            return math.nan
        # Rounding may leave the cosine of two equal vectors just above 1.
        return math.acos(min(1.0, max(-1.0, both / length))) if length > 0 else 0.0

    def _vectors(self, subnet: Subnet) -> WeightVectors:
        initial = subnet.parts.get(self.initial)
        if not isinstance(initial, Supernet):
            known = ", ".join(map(repr, subnet.parts)) or "none"
            raise UsageError(
                f"The angle is measured from the initial weights, but the part {self.initial!r} that holds them is "
                f"missing; the parts are: {known}. Give the recipe parts={{{self.initial!r}: Part(build=CopyOfNet())}}."
            )
        shapes = [
            [(name, p.shape) for name, p in net.module.named_parameters(remove_duplicate=False)]
            for net in (initial, subnet.net)
        ]
        if shapes[0] != shapes[1]:
            raise UsageError(
                f"The part {self.initial!r} holds the weights of another network than the one whose angles are asked "
                "for. An angle is known only where the network keeps its layers."
            )
        return WeightVectors(subnet.net, initial, self.ends, self.identity, self.vectors, {})
