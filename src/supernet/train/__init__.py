"""One loop that executes moves, and the pieces that methods are composed of.

Pieces, and what the other modules of this package name in their `__all__`, are imported when they are asked for.
"""

from supernet import catalog
from supernet.train.fit import fit as fit  # here, lest it be taken for the module of the same name

__getattr__, __dir__ = catalog.lazy(__name__)
