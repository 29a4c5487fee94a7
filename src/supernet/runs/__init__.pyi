# Written by: python -m supernet.catalog --write
from supernet.runs.results import Records as Records
from supernet.runs.results import Results as Results
from supernet.runs.results import load as load

__all__ = [
    "Records",
    "Results",
    "load",
]
