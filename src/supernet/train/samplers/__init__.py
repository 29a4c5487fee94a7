"""Which paths a step trains: one file per rule."""

from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.best_of import BestOf
from supernet.train.samplers.budget import Budget
from supernet.train.samplers.cost_bins import CostBins
from supernet.train.samplers.equal_cost import EqualCost
from supernet.train.samplers.fixed import Fixed
from supernet.train.samplers.greedy import Greedy
from supernet.train.samplers.one_group import OneGroup
from supernet.train.samplers.path_dropout import PathDropout
from supernet.train.samplers.sandwich import Sandwich
from supernet.train.samplers.strict_fair import StrictFair
from supernet.train.samplers.uniform import Uniform

__all__ = [
    "BestOf",
    "Budget",
    "CostBins",
    "EqualCost",
    "Fixed",
    "Greedy",
    "OneGroup",
    "PathDropout",
    "Sampler",
    "Sandwich",
    "StrictFair",
    "Uniform",
]
