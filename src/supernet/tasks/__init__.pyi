# Written by: python -m supernet.catalog --write
from supernet.tasks._protocol import Meter as Meter
from supernet.tasks._protocol import Reduction as Reduction
from supernet.tasks._protocol import Task as Task
from supernet.tasks.classification import Classification as Classification

__all__ = [
    "Classification",
    "Meter",
    "Reduction",
    "Task",
]
