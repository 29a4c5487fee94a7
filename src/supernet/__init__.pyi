# Written by: python -m supernet.catalog --write
from supernet._version import __version__ as __version__
from supernet.nn import EdgeWeights as EdgeWeights
from supernet.nn import ElasticBatchNorm1d as ElasticBatchNorm1d
from supernet.nn import ElasticBatchNorm2d as ElasticBatchNorm2d
from supernet.nn import ElasticConv1d as ElasticConv1d
from supernet.nn import ElasticConv2d as ElasticConv2d
from supernet.nn import ElasticConvTranspose2d as ElasticConvTranspose2d
from supernet.nn import ElasticDepth as ElasticDepth
from supernet.nn import ElasticEmbedding as ElasticEmbedding
from supernet.nn import ElasticGroupNorm as ElasticGroupNorm
from supernet.nn import ElasticLayerNorm as ElasticLayerNorm
from supernet.nn import ElasticLinear as ElasticLinear
from supernet.nn import ElasticResolution as ElasticResolution
from supernet.nn import InputChoice as InputChoice
from supernet.nn import Mixture as Mixture
from supernet.nn import OpChoice as OpChoice
from supernet.nn import StaleStatistics as StaleStatistics
from supernet.nn import SubsetChoice as SubsetChoice
from supernet.nn import Supernet as Supernet
from supernet.nn import Zero as Zero
from supernet.pretrained import elastic as elastic
from supernet.space import Arch as Arch
from supernet.space import Choice as Choice
from supernet.space import Space as Space
from supernet.train.fit import fit as fit

__all__ = [
    "Arch",
    "Choice",
    "EdgeWeights",
    "ElasticBatchNorm1d",
    "ElasticBatchNorm2d",
    "ElasticConv1d",
    "ElasticConv2d",
    "ElasticConvTranspose2d",
    "ElasticDepth",
    "ElasticEmbedding",
    "ElasticGroupNorm",
    "ElasticLayerNorm",
    "ElasticLinear",
    "ElasticResolution",
    "InputChoice",
    "Mixture",
    "OpChoice",
    "Space",
    "StaleStatistics",
    "SubsetChoice",
    "Supernet",
    "Zero",
    "elastic",
    "fit",
]
