"""One loop that executes moves, and the pieces that methods are composed of."""

from supernet.train.architecture import ArchitectureParameters, Softmax, Strongest
from supernet.train.fit import Trained, fit
from supernet.train.gradients.reptile import Reptile
from supernet.train.gradients.rules import Backpropagation, Unrolled
from supernet.train.loop import Monitor
from supernet.train.move import Mean, Move, Outcome, Path, Step, Sum
from supernet.train.objectives.losses import CrossEntropy, InPlaceDistillation
from supernet.train.optimisers import SGD, Adam, Optimiser, RMSprop
from supernet.train.phases import Entry, Phase
from supernet.train.programs.basic import Bilevel, TrainPaths
from supernet.train.programs.in_turn import TrainInTurn
from supernet.train.ratings.basic import BatchLoss, Predicted, ValidationError, ValidationLoss
from supernet.train.recipe import Recipe
from supernet.train.samplers import (
    BestOf,
    Budget,
    CostBins,
    EqualCost,
    Fixed,
    Greedy,
    OneGroup,
    PathDropout,
    Sandwich,
    StrictFair,
    Uniform,
)
from supernet.train.samplers.candidate_pool import load_candidates
from supernet.train.schedules.basic import Constant, Cosine, Linear, OnLoss, Warmup
from supernet.train.schedules.complexity_aware import ComplexityAwareLR
from supernet.train.state import load_weights
from supernet.train.states.momentum_separation import MomentumSeparation, StateGroups
from supernet.train.updates import Updates, adam, rmsprop, sgd

__all__ = [
    "SGD",
    "Adam",
    "ArchitectureParameters",
    "Backpropagation",
    "BatchLoss",
    "BestOf",
    "Bilevel",
    "Budget",
    "ComplexityAwareLR",
    "Constant",
    "Cosine",
    "CostBins",
    "CrossEntropy",
    "Entry",
    "EqualCost",
    "Fixed",
    "Greedy",
    "InPlaceDistillation",
    "Linear",
    "Mean",
    "MomentumSeparation",
    "Monitor",
    "Move",
    "OnLoss",
    "OneGroup",
    "Optimiser",
    "Outcome",
    "Path",
    "PathDropout",
    "Phase",
    "Predicted",
    "RMSprop",
    "Recipe",
    "Reptile",
    "Sandwich",
    "Softmax",
    "StateGroups",
    "Step",
    "StrictFair",
    "Strongest",
    "Sum",
    "TrainInTurn",
    "TrainPaths",
    "Trained",
    "Uniform",
    "Unrolled",
    "Updates",
    "ValidationError",
    "ValidationLoss",
    "Warmup",
    "adam",
    "fit",
    "load_candidates",
    "load_weights",
    "rmsprop",
    "sgd",
]
