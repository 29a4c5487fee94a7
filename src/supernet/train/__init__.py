"""One loop that executes moves, and the pieces that methods are composed of."""

from supernet.train.architecture import ArchitectureParameters, Softmax, Strongest
from supernet.train.complexity import ComplexityAwareLR
from supernet.train.fit import Monitor, Trained, fit
from supernet.train.gradients import Backpropagation, Unrolled
from supernet.train.move import Mean, Move, Outcome, Path, Step, Sum
from supernet.train.objectives import CrossEntropy, InPlaceDistillation
from supernet.train.phases import Entry, Phase
from supernet.train.programs import Bilevel, TrainPaths
from supernet.train.recipe import Recipe
from supernet.train.samplers import CostBins, Fixed, OneGroup, PathDropout, Sandwich, StrictFair, Uniform
from supernet.train.schedules import Constant, Cosine, Linear, OnLoss, Warmup
from supernet.train.state import load_weights
from supernet.train.states import MomentumSeparation, StateGroups
from supernet.train.updates import Updates

__all__ = [
    "ArchitectureParameters",
    "Backpropagation",
    "Bilevel",
    "ComplexityAwareLR",
    "Constant",
    "Cosine",
    "CostBins",
    "CrossEntropy",
    "Entry",
    "Fixed",
    "InPlaceDistillation",
    "Linear",
    "Mean",
    "MomentumSeparation",
    "Monitor",
    "Move",
    "OnLoss",
    "OneGroup",
    "Outcome",
    "Path",
    "PathDropout",
    "Phase",
    "Recipe",
    "Sandwich",
    "Softmax",
    "StateGroups",
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
