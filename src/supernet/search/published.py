"""Searches by published searchers with their published settings; others are `run(SEARCHER(…), …)`."""

from __future__ import annotations

from typing import Unpack

from supernet.data import Data
from supernet.nn import Supernet
from supernet.quantity import SCORE
from supernet.search.driver import run
from supernet.search.evaluation import Evaluator
from supernet.search.front import Front
from supernet.search.request import Request
from supernet.search.searchers.coarse_to_fine import CoarseToFine
from supernet.search.searchers.evolution import Evolution
from supernet.search.searchers.hat_evolution import HATEvolution
from supernet.search.searchers.nsga2 import NSGA2
from supernet.search.searchers.nsga3 import NSGA3
from supernet.search.searchers.ofa_evolution import OFAEvolution
from supernet.search.searchers.optuna import Optuna
from supernet.search.searchers.outside import Make, Outside
from supernet.search.searchers.pareto_bins import ParetoBins
from supernet.search.searchers.pbil import PBIL
from supernet.search.searchers.policy_gradient import PolicyGradient
from supernet.search.searchers.random import RandomSearch
from supernet.search.searchers.regularised_evolution import RegularisedEvolution
from supernet.search.searchers.traversal import Traversal
from supernet.search.searchers.ucb_tree import UCBTree

__all__ = [
    "autoformer_evolution",
    "coarse_to_fine",
    "evolution",
    "hat_evolution",
    "nsga2",
    "nsga3",
    "ofa_evolution",
    "optuna",
    "outside",
    "pareto_bins",
    "pbil",
    "policy_gradient",
    "random",
    "regularised_evolution",
    "rlnas_evolution",
    "traversal",
    "ucb_tree",
]


def random(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(RandomSearch(), …)`, the baseline; optimises the score unless `objectives` says otherwise."""
    return run(RandomSearch(), subject, data, **request)


def evolution(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(Evolution(), …)`, SPOS's search for the best score; its budget of 1,000 is 20 generations of 50."""
    return run(Evolution(), subject, data, **request)


def regularised_evolution(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(RegularisedEvolution(), …)` for the best score."""
    return run(RegularisedEvolution(), subject, data, **request)


def traversal(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(Traversal(), …)`, DNA's search for the smallest sum over stages; the subject is an evaluator with one."""
    return run(Traversal(), subject, data, **request)


def nsga2(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(NSGA2(), …)` for a front; optimises the score and MACs unless `objectives` says otherwise."""
    return run(NSGA2(), subject, data, **(Request(objectives=(SCORE, "macs")) | request))


def nsga3(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(NSGA3(), …)` for a front; optimises the score, MACs and parameters unless `objectives` says otherwise."""
    return run(NSGA3(), subject, data, **(Request(objectives=(SCORE, "macs", "params")) | request))


def autoformer_evolution(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(Evolution(…), …)` with the numbers of AutoFormer's code ([arXiv 2107.00651](https://arxiv.org/abs/2107.00651)).

    20 generations of 50: 10 parents, 25 mutants of which layers change with 0.2, depth and embedding with 0.4, and 25
    crossovers; a bound on `params` on both sides is its constraint. The budget is 1,000.
    """
    return run(Evolution(mutation_p=0.2, global_p=0.4), subject, data, **request)


def rlnas_evolution(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(Evolution(…), …)` with RLNAS's numbers for NAS-Bench-201 ([arXiv 2103.15670](https://arxiv.org/abs/2103.15670)).

    20 generations of 100: 30 parents, 50 mutants and 50 crossovers, which is a budget of 2,000 unless another is given.
    On chains of MobileNetV2 blocks its numbers are those of `evolution`.
    """
    return run(Evolution(population=100, parents=30), subject, data, **(Request(budget=2000) | request))


def ofa_evolution(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(OFAEvolution(), …)` for the best score; OFA runs it on predictions, see `WithPredictor`."""
    return run(OFAEvolution(), subject, data, **request)


def hat_evolution(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(HATEvolution(), …)` for the lowest loss; its 30 generations evaluate at most 3,025 architectures."""
    return run(HATEvolution(), subject, data, **(Request(objectives="loss", budget=3025) | request))


def pareto_bins(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(ParetoBins(), …)` for a front of score and MACs; its 20 generations evaluate at most 5,376 architectures."""
    return run(ParetoBins(), subject, data, **(Request(objectives=(SCORE, "macs"), budget=5376) | request))


def coarse_to_fine(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(CoarseToFine(), …)` for the best score, at most 1,000 of the grid and 200 mutants."""
    return run(CoarseToFine(), subject, data, **(Request(budget=1200) | request))


def policy_gradient(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(PolicyGradient(), …)` for the best score."""
    return run(PolicyGradient(), subject, data, **request)


def pbil(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(PBIL(), …)` for the best score."""
    return run(PBIL(), subject, data, **request)


def ucb_tree(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(UCBTree(), …)` for the best score; its budget of 1,000 is the published one."""
    return run(UCBTree(), subject, data, **request)


def optuna(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(Optuna(), …)` for the best score, with tree-structured Parzen estimators."""
    return run(Optuna(), subject, data, **request)


def outside(
    subject: Supernet | Evaluator, data: Data | None = None, *, make: Make | str, **request: Unpack[Request]
) -> Front:
    """`run(Outside(make=make), …)` for the best score, by the optimiser that `make` makes."""
    return run(Outside(make=make), subject, data, **request)
