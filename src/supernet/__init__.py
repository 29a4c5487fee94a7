"""Weight-sharing neural architecture search: train one supernet, then rank, search and deploy its subnets.

>>> from supernet import Choice, ElasticConv2d, Supernet
"""

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

__version__ = "0.1.0"

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
