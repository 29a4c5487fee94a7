"""Random architectures, perturbations of the best, and a chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from method_trials import squares
from shifted_searches import blocks_net
from small_nets import executor, step
from supernet.errors import UsageError
from supernet.space import Arch
from supernet.train import Context, PerturbBest, Step


@dataclass(frozen=True)
class Far:
    """How many decisions are not the first option; notes what it was asked, call by call."""

    asked: list[list[Arch]] = field(default_factory=list)

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        self.asked.append(list(archs))
        return [float(sum(code > 0 for code in arch.code)) for arch in archs]


def context() -> Context:
    net = blocks_net()
    run = executor(net, squares())
    return Context(replace(step(net), runner=run), run)


def test_it_finds_more_than_its_random_architectures() -> None:
    rating = Far()
    found = PerturbBest(random=2, perturbed=30, chain=60, p=0.3, rating=rating).derive(context())
    assert found.code == (0, 0, 0, 0)
    every = [arch for call in rating.asked for arch in call]
    assert len(set(every)) == len(every), "nothing is rated twice"


def test_perturbations_are_of_the_best_random_one_and_the_chain_of_what_it_accepted() -> None:
    rating = Far()
    PerturbBest(random=5, perturbed=8, chain=40, p=0.05, rating=rating).derive(context())
    first = min(rating.asked[0], key=lambda arch: sum(code > 0 for code in arch.code))

    def differ(one: Arch, other: Arch) -> int:
        return sum(a != b for a, b in zip(one.code, other.code, strict=True))

    assert np.mean([differ(first, arch) for arch in rating.asked[1]]) < 1.8
    accepted = min([*rating.asked[0], *rating.asked[1]], key=lambda arch: sum(code > 0 for code in arch.code))
    for (arch,) in rating.asked[2:]:
        assert differ(accepted, arch) <= 3
        if sum(code > 0 for code in arch.code) < sum(code > 0 for code in accepted.code):
            accepted = arch


def test_what_is_rated_alike_is_not_accepted_by_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Arch] = []
    original = PerturbBest._perturb

    def noting(self: PerturbBest, context: Context, arch: Arch, rng: np.random.Generator) -> Arch:
        begun.append(arch)
        return original(self, context, arch, rng)

    monkeypatch.setattr(PerturbBest, "_perturb", noting)
    made = PerturbBest(random=3, perturbed=0, chain=6, p=0.5, rating=lambda step, archs: [1.0] * len(archs))
    assert {made.derive(context())} == set(begun), "of equals the first, and the chain stays there"


def test_the_same_training_derives_the_same() -> None:
    made = PerturbBest(random=5, perturbed=3, chain=3, rating=Far())
    assert made.derive(context()) == made.derive(context())


def test_stages_may_be_left_out_and_wrong_numbers_are_refused() -> None:
    rating = Far()
    PerturbBest(random=7, perturbed=0, chain=0, rating=rating).derive(context())
    assert len(rating.asked) == 1
    for options in ({"random": 0}, {"perturbed": -1}, {"chain": -1}):
        with pytest.raises(UsageError, match="at least 1 random one"):
            PerturbBest(**options)  # type: ignore[arg-type]
