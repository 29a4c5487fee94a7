"""Layers that hold every candidate, and the supernet that makes one architecture of them active."""

from supernet.nn.choice import OpChoice, Zero
from supernet.nn.depth import ElasticDepth, ElasticResolution
from supernet.nn.dictionary import WeightDictionary
from supernet.nn.drop_path import DropPath
from supernet.nn.elastic import ElasticConv2d, ElasticLinear
from supernet.nn.input_shape import Field, Inputs
from supernet.nn.inputs import InputChoice
from supernet.nn.leaves import Leaves
from supernet.nn.mutable import Mutable
from supernet.nn.norm import ElasticBatchNorm2d, ElasticLayerNorm, Statistics, batch_norm
from supernet.nn.norm_bank import NormBank
from supernet.nn.output import Output
from supernet.nn.pool import AvgPool3x3
from supernet.nn.selection import Decision, Decisions, EdgeWeights, Mixture, Target
from supernet.nn.subset import SubsetChoice
from supernet.nn.supernet import StaleStatistics, Supernet

__all__ = [
    "AvgPool3x3",
    "Decision",
    "Decisions",
    "DropPath",
    "EdgeWeights",
    "ElasticBatchNorm2d",
    "ElasticConv2d",
    "ElasticDepth",
    "ElasticLayerNorm",
    "ElasticLinear",
    "ElasticResolution",
    "Field",
    "InputChoice",
    "Inputs",
    "Leaves",
    "Mixture",
    "Mutable",
    "NormBank",
    "OpChoice",
    "Output",
    "StaleStatistics",
    "Statistics",
    "SubsetChoice",
    "Supernet",
    "Target",
    "WeightDictionary",
    "Zero",
    "batch_norm",
]
