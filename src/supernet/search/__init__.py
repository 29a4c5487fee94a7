"""Which subnet to take: searchers as values, under constraints. NSGA-II needs pymoo (extra "search")."""

from supernet.measure.quantity import ACCURACY, LATENCY_MS, LOSS, MACS, PARAMS, STANDARD, Quantity
from supernet.search.api import evolution, nsga2, random, regularised_evolution
from supernet.search.constraints import Bounds, Constraint, Constraints
from supernet.search.driver import check, run
from supernet.search.evaluation import Evaluation, Point
from supernet.search.evaluator import Evaluator
from supernet.search.front import Front, FrontFile
from supernet.search.request import Announce, Begun, Progress, Request
from supernet.search.sampler import FeasibleSampler
from supernet.search.searchers import NSGA2, Evolution, RandomSearch, RegularisedEvolution
from supernet.search.shifting import Shifting, load_shifted
from supernet.search.survey import Survey, survey
from supernet.search.task import AskTell, Searcher, Task
from supernet.search.wrap import Companion, Wrap

__all__ = [
    "ACCURACY",
    "LATENCY_MS",
    "LOSS",
    "MACS",
    "NSGA2",
    "PARAMS",
    "STANDARD",
    "Announce",
    "AskTell",
    "Begun",
    "Bounds",
    "Companion",
    "Constraint",
    "Constraints",
    "Evaluation",
    "Evaluator",
    "Evolution",
    "FeasibleSampler",
    "Front",
    "FrontFile",
    "Point",
    "Progress",
    "Quantity",
    "RandomSearch",
    "RegularisedEvolution",
    "Request",
    "Searcher",
    "Shifting",
    "Survey",
    "Task",
    "Wrap",
    "check",
    "evolution",
    "load_shifted",
    "nsga2",
    "random",
    "regularised_evolution",
    "run",
    "survey",
]
