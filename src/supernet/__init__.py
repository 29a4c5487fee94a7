"""Weight-sharing neural architecture search: train one supernet, then rank, search and deploy its subnets.

Nothing heavy is imported until it is asked for.

>>> from supernet import Choice, ElasticConv2d, Supernet
"""

import importlib
from typing import TYPE_CHECKING, Any

from supernet._version import __version__ as __version__

if TYPE_CHECKING:
    from supernet.nn import (
        ElasticBatchNorm2d,
        ElasticConv2d,
        ElasticDepth,
        ElasticLayerNorm,
        ElasticLinear,
        ElasticResolution,
        Mixture,
        OpChoice,
        StaleStatistics,
        Supernet,
        Zero,
    )
    from supernet.space import Arch, Choice, Space
    from supernet.train import fit

__all__ = [
    "Arch",
    "Choice",
    "ElasticBatchNorm2d",
    "ElasticConv2d",
    "ElasticDepth",
    "ElasticLayerNorm",
    "ElasticLinear",
    "ElasticResolution",
    "Mixture",
    "OpChoice",
    "Space",
    "StaleStatistics",
    "Supernet",
    "Zero",
    "fit",
]

_ROOMS = ("bench", "data", "deploy", "judge", "measure", "methods", "nn", "report", "search", "space", "train", "zoo")


def __getattr__(name: str) -> Any:
    if name in __all__:
        home = {"Arch": "space", "Choice": "space", "Space": "space", "fit": "train"}.get(name, "nn")
        value = getattr(importlib.import_module(f"supernet.{home}"), name)
    elif name in _ROOMS:
        value = importlib.import_module(f"supernet.{name}")
    else:
        raise AttributeError(f"module 'supernet' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
