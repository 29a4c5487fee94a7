"""From a model of any library to a supernet whose largest subnet it is."""

from supernet.pretrained.elastic import Dimension as Dimension
from supernet.pretrained.elastic import ElasticModel as ElasticModel
from supernet.pretrained.elastic import elastic as elastic
from supernet.pretrained.folder import save_folder as save_folder
from supernet.pretrained.sorting import Importance as Importance
from supernet.pretrained.sorting import sort_by_importance as sort_by_importance

__all__ = ["Dimension", "ElasticModel", "Importance", "elastic", "save_folder", "sort_by_importance"]
