"""The lasso by FISTA: a sparse code from few numbers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from supernet.errors import RunError

Numbers = NDArray[np.float64]


STAGES = 4.0
"""The factor between the penalties of two stages."""


def lasso(
    sensing: Numbers, target: Numbers, penalty: float, *, tolerance: float = 1e-3, iterations: int = 20_000
) -> Numbers:
    """argmin ½ ‖A x − b‖² + λ ‖x‖₁ over x (N,), by accelerated iterative shrinkage (FISTA) with restarts.

    FISTA: Beck and Teboulle, SIAM Journal on Imaging Sciences 2 (2009), eq. 4.1-4.3; it forgets its momentum where the
    step goes against it (O'Donoghue and Candès, [arXiv 1204.3982](https://arxiv.org/abs/1204.3982), eq. 13). The
    penalty falls in stages from where everything is 0, each of which begins at the end of the one before. As soon as
    the exact solution of the equations on the support is an optimum, it is taken.

    Args:
        sensing: A (m, N).
        target: b (m,).
        penalty: λ, above 0.
        tolerance: The largest violation of the conditions |Aᵀ(b − A x)| ≤ λ, = λ sign(x) where x ≠ 0, as a share of λ.
        iterations: The most iterations of a stage.

    Raises:
        RunError: b is not finite.

    >>> lasso(np.eye(3), np.array([3.0, -0.5, -2.0]), 1.0).tolist()
    [2.0, 0.0, -1.0]
    """
    if not np.isfinite(target).all():
        raise RunError(
            f"The compressed code of a node became {target.tolist()}. Lower the learning rate of the architecture."
        )
    gram, correlation = sensing.T @ sensing, sensing.T @ target
    size = float(np.linalg.eigvalsh(gram)[-1])
    code = np.zeros(sensing.shape[1])
    stage = float(np.abs(correlation).max()) / STAGES
    while stage > penalty:
        code, stage = _fista(gram, correlation, code, stage, size, tolerance, iterations), stage / STAGES
    return _fista(gram, correlation, code, penalty, size, tolerance, iterations)


def _fista(
    gram: Numbers, correlation: Numbers, found: Numbers, penalty: float, size: float, tolerance: float, iterations: int
) -> Numbers:
    ahead, momentum = found, 1.0
    for count in range(iterations):
        following = shrunk(ahead - (gram @ ahead - correlation) / size, penalty / size)
        if (ahead - following) @ (following - found) > 0:
            momentum = 1.0
        after = (1 + math.sqrt(1 + 4 * momentum * momentum)) / 2
        ahead = following + (momentum - 1) / after * (following - found)
        found, momentum = following, after
        if count % 20 == 19 or count + 1 == iterations:
            exact = _on_support(gram, correlation, found, penalty)
            for code in (exact, found):
                if violation(gram, correlation, code, penalty) <= tolerance * penalty:
                    return code
    return found


def shrunk(values: Numbers, threshold: float) -> Numbers:
    """The soft threshold sign(x) max(|x| − t, 0).

    >>> shrunk(np.array([3.0, -0.5]), 1.0).tolist()
    [2.0, -0.0]
    """
    result: Numbers = np.sign(values) * np.maximum(np.abs(values) - threshold, 0)
    return result


def violation(gram: Numbers, correlation: Numbers, code: Numbers, penalty: float) -> float:
    """How far a code is from an optimum of the lasso: the largest distance of Aᵀ(b − A x) from λ ∂‖x‖₁."""
    left = correlation - gram @ code
    zero = np.maximum(np.abs(left) - penalty, 0)
    return float(np.where(code == 0, zero, np.abs(left - penalty * np.sign(code))).max())


def _on_support(gram: Numbers, correlation: Numbers, code: Numbers, penalty: float) -> Numbers:
    """The solution of the equations on the support, with the signs that a code has there."""
    support = np.flatnonzero(code)
    wanted = correlation[support] - penalty * np.sign(code[support])
    exact = np.zeros_like(code)
    exact[support] = np.linalg.lstsq(gram[np.ix_(support, support)], wanted, rcond=None)[0]
    return exact
