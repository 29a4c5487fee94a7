"""How far apart two sets of features are: the maximum mean discrepancy with several Gaussian kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.train.optimisers._protocol import check_number

Estimator: TypeAlias = Literal["linear", "cyclic", "unbiased", "biased"]
"""`"linear"`: the mean over pairs (1, 2), (3, 4), … of both sets, as DAN's paper has it. `"cyclic"`: that over pairs
(1, 2), (2, 3), …, (n, 1), as its released code has it. `"unbiased"`: over all pairs of different examples. `"biased"`:
over all pairs, an example with itself among them; it is never negative, and 0 for equal sets."""


@dataclass(frozen=True, kw_only=True)
class KernelDiscrepancy:
    """The squared maximum mean discrepancy of two sets of features (n, D) and (m, D), with several kernels (MK-MMD).

    Gretton et al., NeurIPS 2012; Long et al. (DAN), [arXiv 1502.02791](https://arxiv.org/abs/1502.02791), §3.1.

        MMD²(x, y) = E k(x, x') + E k(y, y') − 2 E k(x, y),   k = Σᵤ βᵤ exp(−|x − y|² / hᵤ),   Σ β = 1

    with hᵤ = h · factorᵘ, the widths of an odd number of kernels around h. The width has no gradient. All widths are
    alike in weight (DAN's released code, which adds kernels up; its paper learns β); Σ β = 1 is the papers'.

    All distances are held at once, n · m · D numbers; of the linear estimators only those of the width h.

    Args:
        kernels: The number of kernels (DAN's code: 5).
        factor: The factor from one width to the next (DAN's code: 2).
        width: h: a number, in squared units of the features; or `"mean"` or `"median"` of the squared distances between
            different examples of both sets together, as DAN's code and paper have it.
        estimator: The estimator of the expectations.
        shares: βᵤ, from the narrowest kernel to the widest, which are scaled to a sum of 1; None: all alike.

    Raises:
        UsageError: a value outside its range; when called, fewer than two examples on a side, or features of different
            widths.

    >>> x = torch.tensor([[0.0], [1.0], [3.0]])
    >>> float(KernelDiscrepancy(estimator="biased")(x, x))
    0.0
    """

    kernels: int = 5
    factor: float = 2.0
    width: float | Literal["mean", "median"] = "mean"
    estimator: Estimator = "linear"
    shares: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.kernels < 1:
            raise UsageError(f"The discrepancy was to have {self.kernels} kernels; give 1 or more.")
        check_number("The factor between the widths of kernels", self.factor, above=1)
        if self.width not in ("mean", "median"):
            if isinstance(self.width, str):
                raise UsageError(f"The width of kernels is a number, 'mean' or 'median'; got {self.width!r}.")
            check_number("The width of the middle kernel", self.width, above=0)
        if self.estimator not in get_args(Estimator):
            raise UsageError(f"The discrepancy is estimated by one of {get_args(Estimator)}; got {self.estimator!r}.")
        shares = (1.0,) * self.kernels if self.shares is None else self.shares
        if len(shares) != self.kernels or not min(shares) >= 0 or not 0 < sum(shares) < float("inf"):
            raise UsageError(
                f"The shares of {self.kernels} kernels are {shares}; give one for each, none below 0, and at least one "
                "above it."
            )

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """The estimate, a scalar in float32."""
        n, m = len(x), len(y)
        if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
            raise UsageError(
                f"Features (n, D) of two domains are compared; got {tuple(x.shape)} and {tuple(y.shape)}. Bring them "
                "to one width D."
            )
        if min(n, m) < 2:
            raise UsageError(
                f"The discrepancy compares pairs of images within a domain, but was given {n} of the source and {m} of "
                "the target. Train on batches (and micro-batches) of two images or more."
            )
        x, y = x.float(), y.float()
        widths = self._widths(x.detach(), y.detach())
        if self.estimator in ("linear", "cyclic"):
            size = min(n, m)
            if self.estimator == "linear":
                one = torch.arange(0, size - 1, 2, device=x.device)
                two = one + 1
            else:
                one = torch.arange(size, device=x.device)
                two = one.roll(-1)
            terms = (
                self._kernel(_apart(x[one], x[two]), widths)
                + self._kernel(_apart(y[one], y[two]), widths)
                - self._kernel(_apart(x[one], y[two]), widths)
                - self._kernel(_apart(x[two], y[one]), widths)
            )
            return terms.mean()
        xx, yy, xy = (self._kernel(_all_apart(a, b), widths) for a, b in ((x, x), (y, y), (x, y)))
        if self.estimator == "biased":
            return xx.mean() + yy.mean() - 2 * xy.mean()
        within = (xx.sum() - xx.diagonal().sum()) / (n * (n - 1)) + (yy.sum() - yy.diagonal().sum()) / (m * (m - 1))
        return within - 2 * xy.mean()

    def _widths(self, x: Tensor, y: Tensor) -> Tensor:
        """hᵤ (kernels,), without a gradient."""
        if isinstance(self.width, str):
            both = torch.cat([x, y])
            with torch.no_grad():
                distances = _all_apart(both, both)
                different = distances[~torch.eye(len(both), dtype=torch.bool, device=x.device)]
                middle = different.mean() if self.width == "mean" else different.median()
        else:
            middle = torch.tensor(float(self.width), device=x.device)
        powers = torch.arange(self.kernels, device=x.device) - self.kernels // 2
        # Features that are all alike have no width; the discrepancy is then 0, and its gradient too.
        return (middle * self.factor**powers).clamp_min(1e-30)

    def _kernel(self, squared: Tensor, widths: Tensor) -> Tensor:
        """Σ β exp(−|x − y|² / h) of squared distances of any shape."""
        shares = torch.ones_like(widths) if self.shares is None else torch.tensor(self.shares, device=widths.device)
        every = torch.exp(-squared.unsqueeze(-1) / widths)
        return (every * (shares / shares.sum())).sum(-1)


def _apart(x: Tensor, y: Tensor) -> Tensor:
    """Squared distances of rows (n,)."""
    return (x - y).square().sum(-1)


def _all_apart(x: Tensor, y: Tensor) -> Tensor:
    """Squared distances of all pairs (n, m), as differences: products of rows would not give 0 where rows are equal."""
    return _apart(x.unsqueeze(1), y.unsqueeze(0))
