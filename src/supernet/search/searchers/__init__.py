"""One published searcher per file: a frozen dataclass of its settings, whose `begin(task)` starts a search."""

from supernet.search.searchers.evolution import Evolution
from supernet.search.searchers.nsga2 import NSGA2
from supernet.search.searchers.random import RandomSearch
from supernet.search.searchers.regularised_evolution import RegularisedEvolution

__all__ = ["NSGA2", "Evolution", "RandomSearch", "RegularisedEvolution"]
