"""From a model of any library to a supernet whose largest subnet it is."""

from supernet.pretrained.elastic import Dimension as Dimension
from supernet.pretrained.elastic import ElasticModel as ElasticModel
from supernet.pretrained.elastic import elastic as elastic
from supernet.pretrained.folder import save_folder as save_folder
from supernet.pretrained.lora import adapter_params as adapter_params
from supernet.pretrained.lora import elastic_lora as elastic_lora
from supernet.pretrained.lora import save_adapter as save_adapter
from supernet.pretrained.models import load_model as load_model
from supernet.pretrained.sorting import Importance as Importance
from supernet.pretrained.sorting import sort_by_importance as sort_by_importance

__all__ = [
    "Dimension",
    "ElasticModel",
    "Importance",
    "adapter_params",
    "elastic",
    "elastic_lora",
    "load_model",
    "save_adapter",
    "save_folder",
    "sort_by_importance",
]
