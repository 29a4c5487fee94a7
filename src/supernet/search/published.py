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
from supernet.search.searchers.evolution import Evolution
from supernet.search.searchers.nsga2 import NSGA2
from supernet.search.searchers.random import RandomSearch
from supernet.search.searchers.regularised_evolution import RegularisedEvolution

__all__ = ["evolution", "nsga2", "random", "regularised_evolution"]


def random(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(RandomSearch(), …)`, the baseline; optimises the score unless `objectives` says otherwise."""
    return run(RandomSearch(), subject, data, **request)


def evolution(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(Evolution(), …)`, SPOS's search for the best score; its budget of 1,000 is 20 generations of 50."""
    return run(Evolution(), subject, data, **request)


def regularised_evolution(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(RegularisedEvolution(), …)` for the best score."""
    return run(RegularisedEvolution(), subject, data, **request)


def nsga2(subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]) -> Front:
    """`run(NSGA2(), …)` for a front; optimises the score and MACs unless `objectives` says otherwise."""
    return run(NSGA2(), subject, data, **(Request(objectives=(SCORE, "macs")) | request))
