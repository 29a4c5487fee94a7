"""A learning rate that decays by the complexity of the sampled subnet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias
from weakref import WeakKeyDictionary

from supernet.errors import UsageError
from supernet.measure import cost_model
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.move import Path, Step

Complexity: TypeAlias = Literal["params", "macs"] | Callable[[Supernet, Arch], float]

_ranges: WeakKeyDictionary[Supernet, dict[Complexity, tuple[float, float]]] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class ComplexityAwareLR:
    """Complexity-aware learning rate (CaLR; Jeon et al., CVPR 2025, eq. 4–6): η₀ (1 − t/T)^γ(α).

    γ(α) = w ln C(α) + τ falls from `gamma_max` at the smallest subnet to `gamma_min` at the largest: small subnets,
    which learn fast, stop early; large ones keep their learning rate for longer. Several paths that are updated
    together share the mean of their factors; `OnLoss` gives each its own.

    Args:
        gamma_max: γ of the smallest subnet; the paper's is 4.
        gamma_min: γ of the largest; None: 1 / `gamma_max`, as in the paper. With both at 1 it is `Linear()`.
        complexity: C(α): `"params"` (without normalisation layers, as in the paper), `"macs"`, or a function.

    Raises:
        UsageError: a γ that is not positive, or an unknown complexity.

    >>> from supernet import zoo
    >>> net = zoo.nasbench201()
    >>> rule = ComplexityAwareLR()
    >>> rule.gamma(net, net.space.smallest()), round(rule.gamma(net, net.space.largest()), 12)
    (4.0, 0.25)
    >>> round(rule.factor(net, net.space.largest(), 50, 100), 3)
    0.841
    """

    gamma_max: float = 4.0
    gamma_min: float | None = None
    complexity: Complexity = "params"

    def __post_init__(self) -> None:
        for name in ("gamma_max", "gamma_min"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} is {value}; exponents of the learning rate are positive.")
        if not callable(self.complexity) and self.complexity not in ("params", "macs"):
            raise UsageError(
                f"Complexity is 'params', 'macs' or a function of (net, arch); got {self.complexity!r}."
            )

    def line(self, net: Supernet) -> tuple[float, float]:
        """w and τ of γ(α) = w ln C(α) + τ.

        Raises:
            UsageError: the smallest and the largest subnet are equally complex, or a complexity is not positive.
        """
        low, high = self._range(net)
        gamma_min = 1 / self.gamma_max if self.gamma_min is None else self.gamma_min
        w = -(self.gamma_max - gamma_min) / (high - low)
        return w, self.gamma_max - w * low

    def gamma(self, net: Supernet, arch: Arch) -> float:
        """γ(α) of a subnet of a supernet. Complexities outside those of the smallest and largest subnet count as these.

        Raises:
            UsageError: as in `line`.
        """
        w, tau = self.line(net)
        low, high = self._range(net)
        return w * min(max(self._log(net, arch), low), high) + tau

    def factor(self, net: Supernet, arch: Arch, step: int, total_steps: int) -> float:
        """(1 − t/T)^γ(α): the factor on the learning rate after `step` of `total_steps` steps."""
        return float((1 - step / total_steps) ** self.gamma(net, arch))

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        factors = []
        for path in paths:
            if not isinstance(path.decisions, Arch):
                raise UsageError(
                    "A complexity-aware learning rate needs paths that are single architectures, but a path of this "
                    "method is a mixture of several. Choose another schedule."
                )
            factors.append(self.factor(step.net, path.decisions, step.index, step.total))
        return sum(factors) / len(factors)

    def _range(self, net: Supernet) -> tuple[float, float]:
        known = _ranges.setdefault(net, {})
        if self.complexity not in known:
            low, high = self._log(net, net.space.smallest()), self._log(net, net.space.largest())
            if not low < high:
                raise UsageError(
                    f"The smallest and the largest subnet are equally complex ({math.exp(low):,.0f}), so complexity "
                    f"{self.complexity!r} cannot tell subnets of this space apart. Use another complexity."
                )
            known[self.complexity] = low, high
        return known[self.complexity]

    def _log(self, net: Supernet, arch: Arch) -> float:
        if callable(self.complexity):
            value = self.complexity(net, arch)
        elif self.complexity == "params":
            value = cost_model(net).params(arch, norm=False)
        else:
            value = cost_model(net).macs(arch)
        if not value > 0:
            raise UsageError(f"The complexity of {arch} is {value}; its logarithm needs a positive number.")
        return math.log(value)
