"""REINFORCE over a trained supernet: a distribution of each choice, pulled towards what is good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from msgspec import Meta

from supernet.io.section import NotNegative, Positive, Section
from supernet.paper import Paper
from supernet.search.problem import Problem
from supernet.search.remembering import Remembering
from supernet.search.sampler import population, sampler_of
from supernet.space import Arch, Codes

PAPER = Paper(
    name="NAS-Bench-201",
    title="NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search",
    authors=("Dong", "Yang"),
    venue="ICLR",
    year=2020,
    arxiv="2001.00326",
    provenance="reconstruction",
)

_SPARE = 64  # uniform feasible architectures that are drawn at a time for what the policy cannot make


@dataclass(frozen=True, kw_only=True)
class PolicyGradient(Section, place="policy_gradient."):
    """A policy trained by REINFORCE: one softmax per choice, and a moving average of rewards. One objective.

    The REINFORCE of NAS-Bench-201 ([arXiv 2001.00326](https://arxiv.org/abs/2001.00326), section 4; the rule: Williams,
    1992) on any space: logits begin at random, 0.001 times a standard normal; after each architecture a the
    baseline is moved towards its reward R, b ← d · b + (1 − d) · R, and Adam steps down −(R − b) log π(a). Only the
    choices that matter in a are in π(a). The learning rate of the benchmark is for thousands of trainings;
    with a few hundred evaluations take about 0.1.

    R is the objective, with its sign turned where less is better, less the relative violation of measured constraints.
    What violates cheap ones is drawn again. An architecture that is drawn again is rewarded again, at no cost.

    Args:
        lr: Learning rate of Adam.
        decay: d.
        entropy: The factor λ on the entropy H of the choices that matter in a: λ H is added to R, and λ ∇H to the step,
            without which an entropy that is alike for all a would be learned by none.
        batch: Number of architectures per ask, whose gradients are a mean; 1 is the benchmark's.
        attempts: Number of draws per architecture until one is feasible; then one is drawn uniformly.

    Raises:
        UsageError: a number outside its range.
    """

    name: ClassVar[str] = "policy_gradient"
    most_objectives: ClassVar[int] = 1

    lr: Annotated[float, Meta(gt=0, le=100)] = 1e-3
    decay: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    entropy: NotNegative = 0.0
    batch: Positive = 1
    attempts: Positive = 64

    def begin(self, problem: Problem) -> Remembering:
        """Start a search, see `Searcher`.

        Raises:
            UsageError: several objectives.
        """
        problem.require_one_objective("A policy")
        policy = _Policy(self, problem)
        return Remembering(problem, policy.round, policy.learn)


class _Policy:
    def __init__(self, settings: PolicyGradient, problem: Problem) -> None:
        self.settings, self.problem = settings, problem
        self._rng = np.random.default_rng(problem.seed)
        self._sampler = sampler_of(problem, self._rng)
        self._first = problem.initial
        space = problem.space
        self._allowed = torch.zeros(len(space), max(map(len, space.choices)), dtype=torch.bool)
        for column, codes in enumerate(space.allowed_codes):
            self._allowed[column, torch.from_numpy(codes.astype(np.int64))] = True
        noise = self._rng.standard_normal(self._allowed.shape)
        self.logits = torch.nn.Parameter(torch.from_numpy(1e-3 * noise))
        self._adam = torch.optim.Adam([self.logits], lr=settings.lr)
        self._baseline: float | None = None
        self._spare = population(space, [])

    def log_probabilities(self) -> torch.Tensor:
        """log π of each option (choices, options); −∞ where the space does not allow it."""
        return torch.log_softmax(self.logits.masked_fill(~self._allowed, -torch.inf), dim=1)

    def round(self) -> list[Arch]:
        """Those to begin with, then draws, in which an architecture may occur twice."""
        found, self._first = self._first, None
        return self.problem.space.wrap(self._draw(self.settings.batch) if found is None else found)

    def _draw(self, n: int) -> Codes:
        space, tries = self.problem.space, self.settings.attempts * n
        with torch.no_grad():
            shares = self.log_probabilities().exp().numpy().cumsum(axis=1)
        drawn = (self._rng.random((tries, len(space), 1)) > shares / shares[:, -1:]).sum(axis=2)
        codes = space.canonical(drawn.astype(np.int16))
        found = codes[self.problem.feasible(codes)][:n]
        if len(found) < n and not len(self._spare):
            self._spare = self._sampler.draw(_SPARE)
        found, self._spare = np.concatenate([found, self._spare[: n - len(found)]]), self._spare[n - len(found) :]
        return found

    def learn(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        """Step once for a round."""
        log_p = self.log_probabilities()
        p = log_p.exp()
        entropies = -(p * log_p.masked_fill(~self._allowed, 0.0)).sum(dim=1)
        total = torch.zeros((), dtype=log_p.dtype)
        for arch, told in zip(archs, values, strict=True):
            violation, loss = self.problem.rank(told)
            active = torch.tensor(arch.active)
            code = torch.tensor(arch.code, dtype=torch.int64)
            entropy = entropies[active].sum()
            reward = -loss - violation + self.settings.entropy * entropy.item()
            before = reward if self._baseline is None else self._baseline
            self._baseline = before + (1 - self.settings.decay) * (reward - before)
            chosen = log_p.gather(1, code[:, None]).squeeze(1)[active].sum()
            total = total - (reward - self._baseline) * chosen
            if self.settings.entropy:
                total = total - self.settings.entropy * entropy
        self._adam.zero_grad()
        (total / len(archs)).backward()  # type: ignore[no-untyped-call]
        self._adam.step()
