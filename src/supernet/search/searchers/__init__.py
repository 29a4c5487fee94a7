"""One searcher per file; each is a class made from a task, with its hyper-parameters in the signature."""

from supernet.search.searchers.evolution import Evolution
from supernet.search.searchers.nsga2 import NSGA2
from supernet.search.searchers.random import RandomSearch
from supernet.search.searchers.regularised_evolution import RegularisedEvolution

__all__ = ["NSGA2", "Evolution", "RandomSearch", "RegularisedEvolution"]
