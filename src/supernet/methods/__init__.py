"""Published methods: each a short file that composes pieces of `supernet.train` into a recipe.

A method is the function named like its module; it is imported when it is asked for.
"""

from supernet import catalog

__getattr__, __dir__ = catalog.lazy(__name__)
