# Written by: python -m supernet.catalog --write
from supernet.tasks._beam_search import beam_search as beam_search
from supernet.tasks._protocol import AsksForTokens as AsksForTokens
from supernet.tasks._protocol import Generates as Generates
from supernet.tasks._protocol import Meter as Meter
from supernet.tasks._protocol import Network as Network
from supernet.tasks._protocol import Reduction as Reduction
from supernet.tasks._protocol import Task as Task
from supernet.tasks._protocol import take_in as take_in
from supernet.tasks._samples import Box as Box
from supernet.tasks._samples import Sample as Sample
from supernet.tasks._samples import Shows as Shows
from supernet.tasks._words import Words as Words
from supernet.tasks.classification import Classification as Classification
from supernet.tasks.detection import Detection as Detection
from supernet.tasks.joint import Joint as Joint
from supernet.tasks.language_modelling import LanguageModelling as LanguageModelling
from supernet.tasks.multi_label import MultiLabel as MultiLabel
from supernet.tasks.regression import Regression as Regression
from supernet.tasks.segmentation import Segmentation as Segmentation
from supernet.tasks.translation import Translation as Translation

__all__ = [
    "AsksForTokens",
    "Box",
    "Classification",
    "Detection",
    "Generates",
    "Joint",
    "LanguageModelling",
    "Meter",
    "MultiLabel",
    "Network",
    "Reduction",
    "Regression",
    "Sample",
    "Segmentation",
    "Shows",
    "Task",
    "Translation",
    "Words",
    "beam_search",
    "take_in",
]
