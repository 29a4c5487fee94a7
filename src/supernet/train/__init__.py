"""One loop that executes moves, and the pieces that methods are composed of."""

from supernet.train.architecture import ArchitectureParameters, Softmax, Strongest
from supernet.train.fit import Monitor, Trained, fit
from supernet.train.gradients import Backpropagation, Unrolled
from supernet.train.move import Mean, Move, Outcome, Path, Step, Sum
from supernet.train.objectives import CrossEntropy, InPlaceDistillation
from supernet.train.programs import Bilevel, TrainPaths
from supernet.train.recipe import Recipe
from supernet.train.samplers import CostBins, Fixed, PathDropout, Sandwich, StrictFair, Uniform
from supernet.train.schedules import Constant, Cosine, Linear, Warmup
from supernet.train.state import load_weights
from supernet.train.updates import Updates

__all__ = [
    "ArchitectureParameters",
    "Backpropagation",
    "Bilevel",
    "Constant",
    "Cosine",
    "CostBins",
    "CrossEntropy",
    "Fixed",
    "InPlaceDistillation",
    "Linear",
    "Mean",
    "Monitor",
    "Move",
    "Outcome",
    "Path",
    "PathDropout",
    "Recipe",
    "Sandwich",
    "Softmax",
    "Step",
    "StrictFair",
    "Strongest",
    "Sum",
    "TrainPaths",
    "Trained",
    "Uniform",
    "Unrolled",
    "Updates",
    "Warmup",
    "fit",
    "load_weights",
]
