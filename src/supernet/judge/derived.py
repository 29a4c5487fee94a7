"""Where one architecture stands among those whose worth is known: how a method that derives its result is judged."""

from __future__ import annotations

import numpy as np

from supernet.io.schema import Standing
from supernet.io.text import aligned
from supernet.judge.cells import cell_shapes
from supernet.judge.truth.truth import Truth
from supernet.space import Arch

__all__ = ["Standing", "standing"]


def standing(truth: Truth, arch: Arch) -> Standing:
    """The true score, rank and regret of one architecture, beside the means of all that the truth holds.

    These means are what an architecture drawn uniformly from the truth is expected to reach. The rank is 1 + the number
    of architectures with a better score.

    Args:
        truth: The truth, which holds the architecture.
        arch: The architecture.

    Raises:
        UsageError: the truth does not hold it, or is about another space.

    >>> from supernet import Choice, Space
    >>> space = Space([Choice("kernel", (3, 5, 7, 9))])
    >>> truth = Truth.of(list(space.enumerate()), [0.5, 0.9, 0.8, 0.8])
    >>> found = standing(truth, space.arch({"kernel": 7}))
    >>> found.rank, round(found.regret, 3), found.random_rank, round(found.random_regret, 3)
    (2, 0.1, 2.25, 0.15)
    """
    (ours,) = truth.lookup([arch])
    sign = truth.metric.sign
    scores = np.sort(sign * truth.mean)
    ranks = 1 + len(scores) - np.searchsorted(scores, scores, side="right")
    return Standing(
        arch=arch.options(),
        n=len(scores),
        true=float(ours),
        rank=1 + int((scores > sign * ours).sum()),
        regret=float(scores[-1] - sign * ours),
        random_true=float(truth.mean.mean()),
        random_rank=float(ranks.mean()),
        random_regret=float(scores[-1] - scores.mean()),
        metric=truth.metric,
        cells=cell_shapes(arch),
    )


def table(found: Standing) -> str:
    """A line for the derived architecture and one for a random one, for a terminal."""
    return aligned(
        [
            ["", "true score", f"rank of {found.n:,}", "regret"],
            ["derived architecture", f"{found.true:.4g}", f"{found.rank:,}", f"{found.regret:.3g}"],
            [
                "random architecture, expected",
                *(f"{found.random_true:.4g}", f"{found.random_rank:,.0f}", f"{found.random_regret:.3g}"),
            ],
        ]
    )


def sentence(found: Standing) -> str:
    """The same in words."""
    true, by_chance = found.true, found.random_true
    side = "above" if found.metric.goal == "min" else "below"
    return (
        f"The derived architecture has a true score of {true:.4g}: rank {found.rank:,} of {found.n:,}, "
        f"{found.regret:.3g} {side} the best; a random one is expected at {by_chance:.4g}, rank "
        f"{found.random_rank:,.0f}, {found.random_regret:.3g} {side} the best."
        + "".join(
            f" Its {name} has width {shape.width:.3g} and depth {shape.depth} (a random one {shape.random_width:.2f} "
            f"and {shape.random_depth:.2f})."
            for name, shape in found.cells.items()
        )
    )


def rows(found: Standing) -> list[dict[str, str | float]]:
    """The figures as rows of `judge.csv`."""
    return [
        {"measure": f"derived {name}", "ranking": ranking, "value": value, "n": found.n}
        for name, ours, theirs in (
            ("true score", found.true, found.random_true),
            ("rank", found.rank, found.random_rank),
            ("regret", found.regret, found.random_regret),
        )
        for ranking, value in (("derived architecture", ours), ("random architecture", theirs))
    ] + [
        {"measure": f"derived {name} {quality}", "ranking": ranking, "value": value, "n": found.n}
        for name, shape in found.cells.items()
        for quality, ours, theirs in (
            ("width", shape.width, shape.random_width),
            ("depth", float(shape.depth), shape.random_depth),
        )
        for ranking, value in (("derived architecture", ours), ("random architecture", theirs))
    ]
