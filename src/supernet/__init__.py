"""Weight-sharing neural architecture search: train one supernet, then rank, search and deploy its subnets.

Nothing heavy is imported until it is asked for.

>>> from supernet import Choice, ElasticConv2d, Supernet
"""

import importlib
from typing import Any

from supernet._version import __version__ as __version__

_HOMES = {
    "Arch": "space",
    "Choice": "space",
    "EdgeWeights": "nn",
    "ElasticBatchNorm1d": "nn",
    "ElasticBatchNorm2d": "nn",
    "ElasticConv1d": "nn",
    "ElasticConv2d": "nn",
    "ElasticConvTranspose2d": "nn",
    "ElasticDepth": "nn",
    "ElasticEmbedding": "nn",
    "ElasticGroupNorm": "nn",
    "ElasticLayerNorm": "nn",
    "ElasticLinear": "nn",
    "ElasticResolution": "nn",
    "InputChoice": "nn",
    "Mixture": "nn",
    "OpChoice": "nn",
    "Space": "space",
    "StaleStatistics": "nn",
    "SubsetChoice": "nn",
    "Supernet": "nn",
    "Zero": "nn",
    "elastic": "pretrained",
    "fit": "train",
}
"""The room that each public name comes from; their types are in the stub beside this file, which is generated."""

_ROOMS = (
    "bench",
    "data",
    "deploy",
    "judge",
    "measure",
    "methods",
    "nn",
    "pretrained",
    "report",
    "runs",
    "search",
    "space",
    "tasks",
    "train",
    "zoo",
)
"""The rooms that can be used as attributes after `import supernet`."""

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"supernet.{_HOMES[name]}"), name)
    elif name in _ROOMS:
        value = importlib.import_module(f"supernet.{name}")
    else:
        raise AttributeError(f"module 'supernet' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_ROOMS})
