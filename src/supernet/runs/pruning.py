"""What a pruning is asked for, and what it leaves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from supernet.errors import UsageError
from supernet.measure.option_damage import Damage
from supernet.pretrained.elastic import ElasticModel
from supernet.pretrained.sorting import Importance
from supernet.rank import kendall_tau
from supernet.search.integer_program import Solution
from supernet.space import Arch

Cost: TypeAlias = Literal["params", "macs", "latency_ms"]
COSTS: tuple[Cost, ...] = ("params", "macs", "latency_ms")


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """How a model is cut.

    Args:
        model: `module:function` that builds the model, or a folder that transformers has saved.
        arguments: Arguments of the function, by name.
        weights: A file with its state dict; None: as the function gives them.
        keep: What may be kept of each cost, as a share such as "60%", or an amount.
        width: The shares of a dimension that may be kept.
        depth: Which blocks may go: `"any"`, only the `"last"` of a list, or `"none"`.
        exclude: Patterns of the names of what stays.
        sort: What the entries of dimensions are sorted by, the most important first; None: they keep their order.
        damage: What the damage of an option is measured by.
        images: Number of validation examples that damage is measured on.
        checks: Number of random architectures whose damage is measured beside the estimate.
        finetune_steps: Number of steps of training after the cut; 0: none.
        distil: Whether that training learns from the model as well as from the labels.
        lr: Learning rate of that training.
        batch_size: Examples per step of it.
        seed: Seed of everything that is drawn.
    """

    model: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    weights: str | None = None
    keep: Mapping[str, str]
    width: tuple[float, ...] = (0.25, 0.5, 0.625, 0.75, 0.875, 1.0)
    depth: Literal["any", "last", "none"] = "any"
    exclude: tuple[str, ...] = ()
    sort: Importance | None = "taylor"
    damage: Damage = "divergence"
    images: int = 512
    checks: int = 16
    finetune_steps: int = 0
    distil: bool = True
    lr: float = 0.01
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.keep:
            raise UsageError("Nothing says how much may be kept; give --keep params=60%, or macs=…, latency_ms=….")
        for name, text in self.keep.items():
            amount(name, text, 1.0)
        if self.images < 1 or self.checks < 0 or self.finetune_steps < 0 or self.batch_size < 2 or self.lr <= 0:
            raise UsageError(
                f"images={self.images}, checks={self.checks}, finetune_steps={self.finetune_steps}, batch_size="
                f"{self.batch_size}, lr={self.lr}: give 1, 0, 0, 2 or more, and a positive rate."
            )


@dataclass(frozen=True)
class Pruned:
    """A model that was cut.

    Attributes:
        arch: The part of the model that was kept.
        net: The supernet of the model, with the weights after the training, if there was one.
        costs: Of the model and of what was kept, by name.
        solution: What the integer program found.
        damage: The damage of `arch`, before any training.
        checked: Estimated and measured damage of random architectures, and of `arch` first.
        scores: Scores of the model, of the cut one before any training, and after it, by name.
        folder: Where the cut model is.
        difference: The largest difference of outputs between the model that the folder gives and the subnet.
    """

    arch: Arch
    net: ElasticModel
    costs: Mapping[str, tuple[float, float]]
    solution: Solution
    damage: float
    checked: Sequence[tuple[float, float]]
    scores: Mapping[str, Mapping[str, float]]
    folder: Path
    difference: float

    @property
    def additivity_error(self) -> float:
        """The mean difference of estimated and measured damage, as a share of the mean measured one."""
        estimated, measured = np.asarray(self.checked).T
        return float(np.abs(estimated - measured).mean() / max(np.abs(measured).mean(), 1e-12))

    @property
    def tau(self) -> float | None:
        """Kendall's τ between estimated and measured damage of the random architectures; None: fewer than three."""
        drawn = np.asarray(self.checked[1:])
        return None if len(drawn) < 3 else kendall_tau(drawn[:, 0], drawn[:, 1])

    def to_json(self) -> dict[str, Any]:
        """What `pruned.json` holds."""
        return {
            "arch": self.arch.options(),
            "costs": {name: {"model": whole, "kept": kept} for name, (whole, kept) in self.costs.items()},
            "estimated_damage": self.solution.value,
            "damage": self.damage,
            "optimality_gap": self.solution.gap,
            "additivity_error": self.additivity_error,
            "tau_of_estimates": self.tau,
            "checked": [list(pair) for pair in self.checked],
            "scores": self.scores,
            "difference": self.difference,
        }


def amount(name: str, text: str, whole: float) -> float:
    """The limit of a cost, of which the model has `whole`, from a share such as "60%" or an amount.

    Raises:
        UsageError: there is no such cost, or the text is neither.
    """
    if name not in COSTS:
        raise UsageError(f"--keep names the cost {name!r}; it can limit {', '.join(COSTS)}.")
    found = re.fullmatch(r"\s*([0-9.eE+-]+)\s*(%?)\s*", str(text))
    try:
        value = float(found[1]) if found else float("nan")
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise UsageError(f"--keep {name}={text} is no amount; give a share such as 60%, or a number such as 2e6.")
    if found is not None and found[2] and value > 100:
        raise UsageError(f"--keep {name}={text} is more than all of it; give a share up to 100%.")
    return value / 100 * whole if found is not None and found[2] else value
