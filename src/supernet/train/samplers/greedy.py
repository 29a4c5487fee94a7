"""Multi-path sampling with rejection, and a pool of good candidates (GreedyNAS)."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.ratings._protocol import Rating, lowest, only_architectures, rated
from supernet.train.ratings.validation import ValidationLoss
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.candidate_pool import CandidatePool
from supernet.train.samplers.draws import Draws
from supernet.train.samplers.uniform import Uniform
from supernet.train.step import FINISHED, Step


@dataclass(frozen=True, kw_only=True)
class Greedy:
    """The `keep` best of `candidates` paths, each drawn from a pool of good ones or anew (GreedyNAS, §3.2–3.3).

    [arXiv 2003.11236](https://arxiv.org/abs/2003.11236).

    Each candidate comes from the pool with probability ε and from `explore` otherwise. All are rated, the best are
    returned, the best first, and all enter the pool, which holds the `capacity` best rated so far. ε is 0 during
    warm-up and then rises linearly to `epsilon`. A member of the pool that is drawn is rated anew.

    Meant for `TrainInTurn`, which gives each path an update of its own. The pool is kept in checkpoints;
    `load_candidates` reads it.

    Args:
        candidates: Number of paths that are rated per step (m).
        keep: Number of paths that are trained per step (k).
        capacity: The largest number of architectures in the pool.
        epsilon: The final probability ε of drawing from the pool, in [0, 1].
        warmup: Share of the training in which ε is 0.
        explore: The sampler that draws new paths, by default `Uniform()`; `Budget(high=…)` keeps to a budget.
        rating: The rule by which paths are rated; the default is `ValidationLoss(1000)`.
        stop_turnover: End the training when at most this share of the full pool was replaced while as many
            architectures were rated as it holds (π ≤ α; the paper's α is 0.08). None: train to the end.
    """

    candidates: int = 10
    keep: int = 5
    capacity: int = 1000
    epsilon: float = 0.8
    warmup: float = 0.07
    explore: Sampler = field(default_factory=Uniform)
    rating: Rating = field(default_factory=ValidationLoss)
    stop_turnover: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.keep <= self.candidates:
            raise UsageError(
                f"The best {self.keep} of {self.candidates} paths were to be kept; keep at least 1 and at most all."
            )
        if self.capacity < 1:
            raise UsageError(f"The candidate pool was to hold {self.capacity} architectures; give at least 1.")
        for name in ("epsilon", "warmup", "stop_turnover"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise UsageError(f"{name} is {value}; it must lie in [0, 1].")

    def exploitation(self, progress: float) -> float:
        """ε, the probability of drawing from the pool, when `progress` of the training is done."""
        return self.epsilon * (progress - self.warmup) / (1 - self.warmup) if progress > self.warmup else 0.0

    @property
    def draws(self) -> Draws:
        return "one" if self.keep == 1 else "joint"

    def check(self, net: Supernet) -> None:
        self.explore.check(net)

    def paths(self, step: Step) -> Sequence[Arch]:
        pool = CandidatePool(step.memory, self.capacity)
        exploited = step.rng.random(self.candidates) < self.exploitation(step.progress)
        archs = step.space.wrap(pool.draw(int(exploited.sum()), step.space, step.rng))
        while len(archs) < self.candidates:
            archs += only_architectures(self.explore.paths(step), of=self.explore)
        archs = archs[: self.candidates]
        ratings = rated(self.rating, step, archs)
        pool.push([arch.code for arch in archs], ratings, step=step.done)
        if self.stop_turnover is not None and step.progress >= self.warmup:
            self._stop_if_settled(step, pool, self.stop_turnover)
        return [archs[place] for place in lowest(ratings, self.keep)]

    def _stop_if_settled(self, step: Step, pool: CandidatePool, most: float) -> None:
        before = step.memory.get("pool_before")
        if len(pool) < self.capacity:
            return
        if before is None:
            step.memory["pool_before"] = {"step": step.done, "codes": pool.codes()}
        elif step.done - before["step"] >= math.ceil(self.capacity / self.candidates):
            replaced = turnover([tuple(code) for code in before["codes"]], pool.codes())
            if replaced <= most:
                step.memory[FINISHED] = f"the candidate pool has settled: {replaced:.1%} of it was replaced"
            step.memory["pool_before"] = {"step": step.done, "codes": pool.codes()}


def turnover(before: Collection[tuple[int, ...]], now: Collection[tuple[int, ...]]) -> float:
    """Share of a pool that was not in it before: π = 1 − |before ∩ now| / |now| (GreedyNAS, §3.4).

    >>> turnover([(0,), (1,), (2,), (3,)], [(1,), (3,), (4,), (2,)])
    0.25
    """
    return 1 - len(set(before) & set(now)) / len(now)
