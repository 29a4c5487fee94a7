"""From a model of any library to a supernet whose largest subnet it is."""

from supernet.pretrained.elastic import Dimension as Dimension
from supernet.pretrained.elastic import ElasticModel as ElasticModel
from supernet.pretrained.elastic import elastic as elastic

__all__ = ["Dimension", "ElasticModel", "elastic"]
