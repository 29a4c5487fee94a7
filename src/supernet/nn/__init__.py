"""Layers that hold every candidate, and the supernet that makes one architecture of them active."""

from supernet.nn.choice import OpChoice, Zero
from supernet.nn.depth import ElasticDepth, ElasticResolution
from supernet.nn.dictionary import WeightDictionary
from supernet.nn.elastic import ElasticConv2d, ElasticLinear
from supernet.nn.leaves import Leaves
from supernet.nn.mutable import Mutable
from supernet.nn.norm import ElasticBatchNorm2d, ElasticLayerNorm, Statistics, batch_norm
from supernet.nn.pool import AvgPool3x3
from supernet.nn.selection import Decision, Decisions, Mixture, Target
from supernet.nn.supernet import StaleStatistics, Supernet

__all__ = [
    "AvgPool3x3",
    "Decision",
    "Decisions",
    "ElasticBatchNorm2d",
    "ElasticConv2d",
    "ElasticDepth",
    "ElasticLayerNorm",
    "ElasticLinear",
    "ElasticResolution",
    "Leaves",
    "Mixture",
    "Mutable",
    "OpChoice",
    "StaleStatistics",
    "Statistics",
    "Supernet",
    "Target",
    "WeightDictionary",
    "Zero",
    "batch_norm",
]
