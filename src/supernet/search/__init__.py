"""Which subnet to take: searchers as values, under constraints. NSGA-II needs pymoo (extra "search").

Searchers, and what the modules of this package name in their `__all__`, are imported when they are asked for.
"""

from supernet import catalog
from supernet.search.survey import survey as survey  # here, lest it be taken for the module of the same name

__getattr__, __dir__ = catalog.lazy(__name__)
