"""A learning rate that decays by the complexity of the sampled subnet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.measure import CostModel, cost_model
from supernet.nn import Supernet
from supernet.space import Arch, Codes
from supernet.space.extremes import extremes
from supernet.train.move import Path
from supernet.train.schedules.linear import Linear
from supernet.train.step import Step

Complexity: TypeAlias = Literal["params", "macs"]

_ranges: WeakKeyDictionary[CostModel, dict[Complexity, tuple[float, float]]] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class ComplexityAwareLR:
    """Complexity-aware learning rate (CaLR; Jeon et al., CVPR 2025, eq. 4–6): η₀ (1 − t/T)^γ(α).

    [arXiv 2503.10740](https://arxiv.org/abs/2503.10740).

    γ(α) = w ln C(α) + τ falls from `gamma_max` at the smallest subnet to `gamma_min` at the largest: small subnets,
    which learn fast, stop early; large ones keep their learning rate for longer. Several paths that are updated
    together share the mean of their factors; `OnLoss` gives each its own.

    Args:
        gamma_max: γ of the smallest subnet; the paper's is 4.
        gamma_min: γ of the largest; None: 1 / `gamma_max`, as in the paper. With both at 1 it is `Linear()`.
        complexity: C(α): `"params"` (weights only: the published formula has no biases and norms), or `"macs"`.

    Raises:
        UsageError: a γ that is not positive, or an unknown complexity.

    >>> from supernet import zoo
    >>> net = zoo.nasbench201()
    >>> rule = ComplexityAwareLR()
    >>> round(rule.gamma(net, net.space.smallest()), 6), round(rule.gamma(net, net.space.largest()), 6)
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
        if self.complexity not in get_args(Complexity):
            raise UsageError(f"Complexity is one of {get_args(Complexity)}; got {self.complexity!r}.")

    def line(self, net: Supernet) -> tuple[float, float]:
        """w and τ of γ(α) = w ln C(α) + τ.

        Raises:
            UsageError: all subnets are equally complex, or one has no complexity at all.
        """
        low, high = self._range(net)
        gamma_min = 1 / self.gamma_max if self.gamma_min is None else self.gamma_min
        w = -(self.gamma_max - gamma_min) / (high - low)
        return w, self.gamma_max - w * low

    def gamma(self, net: Supernet, arch: Arch) -> float:
        """γ(α) of a subnet of a supernet.

        Raises:
            UsageError: as in `line`, or the architecture belongs to another space.
        """
        w, tau = self.line(net)
        return w * math.log(self._complexity(net, net.space.codes([arch]))[0]) + tau

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

    def alone(self) -> Linear:
        """The line whose powers the factors are."""
        return Linear()

    def _range(self, net: Supernet) -> tuple[float, float]:
        """Logarithms of the least and the greatest complexity in the space."""
        known = _ranges.setdefault(cost_model(net), {})
        if self.complexity not in known:
            low, high = extremes(net.space, lambda codes: self._complexity(net, codes))
            if not 0 < low < high:
                raise UsageError(
                    f"All subnets of this space have {low:,.0f} to {high:,.0f} {self.complexity}, so that cannot be "
                    "their complexity: it must be positive and tell them apart. Use the other, of 'params' and 'macs'."
                )
            known[self.complexity] = math.log(low), math.log(high)
        return known[self.complexity]

    def _complexity(self, net: Supernet, codes: Codes) -> NDArray[np.float64]:
        model = cost_model(net)
        return model.params(codes, norm=False, bias=False) if self.complexity == "params" else model.macs(codes)
