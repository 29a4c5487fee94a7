"""Which subnet to take: ask/tell searchers under constraints. NumPy only; NSGA-II needs pymoo (extra "search")."""

from supernet.measure.quantity import ACCURACY, LATENCY_MS, LOSS, MACS, PARAMS, STANDARD, Quantity
from supernet.search.api import evolution, nsga2, random, regularised_evolution
from supernet.search.archive import Evaluation
from supernet.search.constraints import Bounds, Constraint, Constraints
from supernet.search.driver import Progress, run
from supernet.search.evaluator import Evaluator
from supernet.search.front import Front
from supernet.search.sampler import FeasibleSampler
from supernet.search.searchers import NSGA2, Evolution, RandomSearch, RegularisedEvolution
from supernet.search.shifting import Shifting, load_shifted
from supernet.search.survey import Survey, survey
from supernet.search.task import Searcher, Task
from supernet.search.wrap import Companion, Wrap

__all__ = [
    "ACCURACY",
    "LATENCY_MS",
    "LOSS",
    "MACS",
    "NSGA2",
    "PARAMS",
    "STANDARD",
    "Bounds",
    "Companion",
    "Constraint",
    "Constraints",
    "Evaluation",
    "Evaluator",
    "Evolution",
    "FeasibleSampler",
    "Front",
    "Progress",
    "Quantity",
    "RandomSearch",
    "RegularisedEvolution",
    "Searcher",
    "Shifting",
    "Survey",
    "Task",
    "Wrap",
    "evolution",
    "load_shifted",
    "nsga2",
    "random",
    "regularised_evolution",
    "run",
    "survey",
]
