"""Layers that hold every candidate, and the supernet that makes one architecture of them active."""

from supernet.nn.attention import ElasticAttention
from supernet.nn.choice import OpChoice, Zero
from supernet.nn.class_token import ClassToken
from supernet.nn.conv import ElasticConv1d, ElasticConv2d, ElasticConv3d, ElasticConvTranspose2d
from supernet.nn.depth import ElasticDepth, ElasticResolution
from supernet.nn.dictionary import WeightDictionary
from supernet.nn.dot_product import DotProductAttention
from supernet.nn.drop_path import DropPath
from supernet.nn.dropout import ElasticDropout
from supernet.nn.initial_weights import WarmStart, warm_start
from supernet.nn.input_shape import Field, Inputs
from supernet.nn.inputs import InputChoice
from supernet.nn.leaves import Leaves
from supernet.nn.linear import ElasticEmbedding, ElasticLinear
from supernet.nn.mutable import Mutable
from supernet.nn.norm import (
    ElasticBatchNorm1d,
    ElasticBatchNorm2d,
    ElasticBatchNorm3d,
    ElasticGroupNorm,
    ElasticLayerNorm,
    Statistics,
    batch_norm,
)
from supernet.nn.norm_bank import NormBank
from supernet.nn.output import Output
from supernet.nn.parametric_norm import ElasticParametricNorm2d, ParametricNorm2d
from supernet.nn.patch_embed import PatchEmbed
from supernet.nn.pool import AvgPool3x3
from supernet.nn.positions import ElasticPositions
from supernet.nn.relative_bias import RelativeBias2d
from supernet.nn.relative_positions import RelativePositions2d
from supernet.nn.routes import Routes
from supernet.nn.scaling_bank import ScalingBank
from supernet.nn.selection import Decision, Decisions, EdgeWeights, Mixture, Target
from supernet.nn.shortcut import ElasticShortcut
from supernet.nn.sinusoids import ElasticSinusoids
from supernet.nn.subset import SubsetChoice
from supernet.nn.supernet import StaleStatistics, Supernet
from supernet.nn.switch import Switch
from supernet.nn.token_grid import TokenGrid
from supernet.nn.transform_conv import TransformConv2d

__all__ = [
    "AvgPool3x3",
    "ClassToken",
    "Decision",
    "Decisions",
    "DotProductAttention",
    "DropPath",
    "EdgeWeights",
    "ElasticAttention",
    "ElasticBatchNorm1d",
    "ElasticBatchNorm2d",
    "ElasticBatchNorm3d",
    "ElasticConv1d",
    "ElasticConv2d",
    "ElasticConv3d",
    "ElasticConvTranspose2d",
    "ElasticDepth",
    "ElasticDropout",
    "ElasticEmbedding",
    "ElasticGroupNorm",
    "ElasticLayerNorm",
    "ElasticLinear",
    "ElasticParametricNorm2d",
    "ElasticPositions",
    "ElasticResolution",
    "ElasticShortcut",
    "ElasticSinusoids",
    "Field",
    "InputChoice",
    "Inputs",
    "Leaves",
    "Mixture",
    "Mutable",
    "NormBank",
    "OpChoice",
    "Output",
    "ParametricNorm2d",
    "PatchEmbed",
    "RelativeBias2d",
    "RelativePositions2d",
    "Routes",
    "ScalingBank",
    "StaleStatistics",
    "Statistics",
    "SubsetChoice",
    "Supernet",
    "Switch",
    "Target",
    "TokenGrid",
    "TransformConv2d",
    "WarmStart",
    "WeightDictionary",
    "Zero",
    "batch_norm",
    "warm_start",
]
