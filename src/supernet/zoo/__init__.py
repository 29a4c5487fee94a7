"""Published search spaces, one file each. Every builder returns a ready `Supernet`.

`__all__` lists the builders and nothing else; the helpers that speak a benchmark's own language are imported
by name: `from supernet.zoo import nasbench201_arch`. All of them are imported when they are asked for.
"""

from supernet import catalog

__getattr__, __dir__ = catalog.lazy(__name__)
