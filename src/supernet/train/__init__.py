"""One loop that executes moves, and the pieces that methods are composed of."""

from supernet.train.combines.mean import Mean
from supernet.train.combines.sum import Sum
from supernet.train.derivations.strongest import Strongest
from supernet.train.fit import Trained, fit
from supernet.train.gradients.backpropagation import Backpropagation
from supernet.train.gradients.reptile import Reptile
from supernet.train.gradients.unrolled import Unrolled
from supernet.train.loop import Monitor
from supernet.train.move import Move, Outcome, Path, Step
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.in_place_distillation import InPlaceDistillation
from supernet.train.optimisers import SGD, Adam, Optimiser, RMSprop
from supernet.train.parametrisations.option_logits import ArchitectureParameters
from supernet.train.phases import Entry, Phase
from supernet.train.programs.bilevel import Bilevel
from supernet.train.programs.in_turn import TrainInTurn
from supernet.train.programs.train_paths import TrainPaths
from supernet.train.ratings.batch_loss import BatchLoss
from supernet.train.ratings.predicted import Predicted
from supernet.train.ratings.validation import ValidationError, ValidationLoss
from supernet.train.recipe import Recipe
from supernet.train.relaxations.softmax import Softmax
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
from supernet.train.schedules.complexity_aware import ComplexityAwareLR
from supernet.train.schedules.constant import Constant
from supernet.train.schedules.cosine import Cosine
from supernet.train.schedules.linear import Linear
from supernet.train.schedules.on_loss import OnLoss
from supernet.train.schedules.warmup import Warmup
from supernet.train.state import load_weights
from supernet.train.states._protocol import StateGroups
from supernet.train.states.momentum_separation import MomentumSeparation
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
