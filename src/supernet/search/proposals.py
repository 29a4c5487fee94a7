"""What a search proposed: how likely each option was, generation by generation, and how scores drift on the way.

An evolution has no formula for what it proposes; its record has. A supernet that goes on training while it is searched
([Supernet Shifting](https://arxiv.org/abs/2403.11380), section 5, leaves both questions open) is trained on just this
distribution, and scores the same architecture otherwise from one generation to the next.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from supernet.errors import UsageError
from supernet.space.text import listed


class Proposed(Protocol):
    """An architecture on record: an `Evaluation`, or a `Point` of its file."""

    @property
    def arch(self) -> Mapping[str, Any]:
        """The option of every active choice."""

    @property
    def values(self) -> Mapping[str, float]:
        """What was measured."""

    @property
    def generation(self) -> int | None:
        """The round in which it was proposed."""


@dataclass(frozen=True)
class Generation:
    """What was proposed in one generation.

    Attributes:
        number: The generation, from 0.
        archs: Number of architectures.
        shares: How often each option was chosen, by choice, among the architectures in which the choice is active.
        entropy: The mean entropy of the choices' options in bits: 0 where all architectures decide alike.
        again: Number of architectures that an earlier generation had proposed too.
        drift: The mean change of their score since they were last proposed; None: there are none.
        error: The standard error of the drift; None: fewer than two.
    """

    number: int
    archs: int
    shares: Mapping[str, Mapping[Any, float]]
    entropy: float
    again: int
    drift: float | None
    error: float | None


def proposals(record: Iterable[Proposed], score: str | None = None) -> list[Generation]:
    """The distribution of a search's proposals by generation.

    Args:
        record: What was evaluated, in order, such as `front.archive` or the points of `search.jsonl`.
        score: The quantity whose drift is told; None: none is.

    Raises:
        UsageError: the record has no generations, or not the score.

    >>> from supernet import search
    >>> from supernet.search.laws import Toy, stages
    >>> front = search.run(search.Evolution(population=10, parents=4), Toy(stages()), budget=40)
    >>> found = proposals(front.archive)
    >>> [generation.archs for generation in found], found[0].entropy > found[-1].entropy
    ([10, 10, 10, 10], True)
    """
    rounds: dict[int, list[Proposed]] = {}
    for one in record:
        if one.generation is None:
            raise UsageError("The record was written before generations were on it; search anew to see proposals.")
        rounds.setdefault(one.generation, []).append(one)
    latest: dict[str, float] = {}
    return [_generation(number, rounds[number], score, latest) for number in sorted(rounds)]


def _generation(number: int, members: Sequence[Proposed], score: str | None, latest: dict[str, float]) -> Generation:
    options: dict[str, Counter[Any]] = {}
    for one in members:
        for name, option in _decided(one).items():
            options.setdefault(name, Counter())[_hashable(option)] += 1
    shares = {name: {o: n / counts.total() for o, n in counts.items()} for name, counts in options.items()}
    changes, before = [], dict(latest)
    for one in members:
        if score is None:
            break
        if score not in one.values:
            raise UsageError(f"The record has no {score!r}; it has {listed(sorted(one.values), wanted=score)}.")
        key = json.dumps(_decided(one), sort_keys=True)
        if key in before:
            changes.append(one.values[score] - before[key])
        latest[key] = one.values[score]
    return Generation(
        number=number,
        archs=len(members),
        shares=shares,
        entropy=float(np.mean([_bits(row.values()) for row in shares.values()])) if shares else 0.0,
        again=len(changes),
        drift=float(np.mean(changes)) if changes else None,
        error=float(np.std(changes, ddof=1) / math.sqrt(len(changes))) if len(changes) > 1 else None,
    )


def _decided(one: Proposed) -> dict[str, Any]:
    """The active decisions alone."""
    return {name: option for name, option in one.arch.items() if option is not None}


def _hashable(option: Any) -> Any:
    return tuple(option) if isinstance(option, list) else option


def _bits(shares: Iterable[float]) -> float:
    return -math.fsum(share * math.log2(share) for share in shares if share > 0)


def told(generations: Sequence[Generation]) -> str:
    """A table of entropies and drifts, and the shares of the last generation.

    >>> shares = {"op": {"conv": 0.75, "skip": 0.25}}
    >>> print(told([Generation(0, 4, shares, 0.811278, 1, -0.02, None)]))
    generation  architectures  entropy  proposed again   drift
             0              4     0.81               1   -0.02
    <BLANKLINE>
    the last generation's options
    op  conv 75 %  skip 25 %
    """
    lines = ["generation  architectures  entropy  proposed again   drift"]
    for one in generations:
        drift = "–" if one.drift is None else f"{one.drift:+.3g}" + ("" if one.error is None else f" ± {one.error:.2g}")
        lines.append(f"{one.number:>10}  {one.archs:>13}  {one.entropy:>7.2f}  {one.again:>14}  {drift:>6}")
    if generations:
        width = max(map(len, generations[-1].shares), default=0)
        lines += ["", "the last generation's options"]
        for name, shares in generations[-1].shares.items():
            ordered = sorted(shares.items(), key=lambda pair: -pair[1])
            lines.append(
                f"{name:<{width}}  "
                + "  ".join(f"{option} {share:.0%}".replace("%", " %") for option, share in ordered)
            )
    return "\n".join(lines)
