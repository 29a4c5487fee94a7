"""What the channels and tokens of a network cost, by the scales of BatchNorms (AtomNAS, HR-NAS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from supernet.nn import Supernet
from supernet.nn.channels import Atoms
from supernet.train.edits.cut_channels import atoms_of, scale_of
from supernet.train.move import Outcome
from supernet.train.optimisers._protocol import check_number

ATOMS = "atoms"
"""The key of `Step.memory` under which the first step notes mean cost and numbers, which cuts leave as they are."""


@dataclass(frozen=True, kw_only=True)
class ScaleCost:
    """Σ ĉ |γ| over all channels that may be cut, where ĉ is what one costs, as a share of the mean over them all.

    AtomNAS: [arXiv 1912.09640](https://arxiv.org/abs/1912.09640), eq. 5; HR-NAS:
    [arXiv 2106.06560](https://arxiv.org/abs/2106.06560), §3.3, with the costs of tokens by its code.

    The costs are those that the network says (`Atoms`). The mean is that before the first cut, in which a dimension
    with costs of pairs counts as what it then costs. Where n of n₀ channels are alive (|γ| above the threshold), and a
    channel costs c alone and p with each other one, its cost is

        c + (1 − s) p n₀ + s p (n² − (n − 1)²),

    the share s of the pairs by what the next channel would save, and the rest spread over the first n₀. HR-NAS's code
    has s = ½, one of two attentions; with s = 1 it is exactly what a cut saves.

    Args:
        quadratic: The share s, in [0, 1].
        threshold: The largest |γ| of a dead channel, as in `CutChannels`.
        equal: Whether all channels cost the same instead, the baseline without knowledge of resources.

    Raises:
        UsageError: a number outside its range.
    """

    quadratic: float = 0.5
    threshold: float = 1e-3
    equal: bool = False

    def __post_init__(self) -> None:
        check_number("The share of pairs that a channel is charged for", self.quadratic, at_least=0, at_most=1)
        check_number("The threshold of dead channels", self.threshold, at_least=0)

    def chance(self, of_task: float) -> float | None:
        """None: scales say nothing about classes."""
        return None

    def __call__(self, outcome: Outcome) -> Tensor:
        """The sum, a scalar.

        Raises:
            UsageError: the network does not say which of its channels may be cut.
        """
        net = outcome.step.net
        noted = self._noted(net, outcome.step.memory)
        scales = {atoms: scale_of(net, atoms).abs() for atoms in atoms_of(net)}
        return torch.stack([self.cost(atoms, scale, noted) * scale.sum() for atoms, scale in scales.items()]).sum()

    def cost(self, atoms: Atoms, scale: Tensor, noted: dict[str, Any]) -> float | Tensor:
        """ĉ of every channel of a dimension with these |γ| (C,)."""
        if self.equal:
            return 1.0
        if not atoms.pairs:
            return atoms.cost / float(noted["mean"])
        alive = (scale.detach() > self.threshold).sum()
        saved = (alive**2 - (alive - 1).clamp(min=0) ** 2) * atoms.pairs * self.quadratic
        spread = (1 - self.quadratic) * atoms.pairs * noted["numbers"][atoms.dimension]
        found: Tensor = (atoms.cost + spread + saved) / float(noted["mean"])
        return found

    def _noted(self, net: Supernet, memory: dict[str, Any]) -> dict[str, Any]:
        """The mean cost of a channel, and the numbers of those that cost in pairs, as they were at the first step."""
        if ATOMS not in memory:
            numbers = {atoms: len(scale_of(net, atoms)) for atoms in atoms_of(net)}
            whole = sum(atoms.total(number) for atoms, number in numbers.items())
            memory[ATOMS] = {
                "mean": whole / sum(numbers.values()),
                "numbers": {atoms.dimension: number for atoms, number in numbers.items() if atoms.pairs},
            }
        found: dict[str, Any] = memory[ATOMS]
        return found
