# Written by: python -m supernet.catalog --write
from supernet.tasks._protocol import Meter as Meter
from supernet.tasks._protocol import Reduction as Reduction
from supernet.tasks._protocol import Task as Task
from supernet.tasks.classification import Classification as Classification
from supernet.tasks.detection import Detection as Detection
from supernet.tasks.joint import Joint as Joint
from supernet.tasks.multi_label import MultiLabel as MultiLabel
from supernet.tasks.regression import Regression as Regression
from supernet.tasks.segmentation import Segmentation as Segmentation

__all__ = [
    "Classification",
    "Detection",
    "Joint",
    "Meter",
    "MultiLabel",
    "Reduction",
    "Regression",
    "Segmentation",
    "Task",
]
