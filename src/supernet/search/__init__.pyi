# Written by: python -m supernet.catalog --write
from supernet.search.archive import Begun as Begun
from supernet.search.constraints import Bounds as Bounds
from supernet.search.constraints import Constraint as Constraint
from supernet.search.constraints import Constraints as Constraints
from supernet.search.driver import check as check
from supernet.search.driver import run as run
from supernet.search.evaluation import Evaluation as Evaluation
from supernet.search.evaluation import Evaluator as Evaluator
from supernet.search.evaluation import Point as Point
from supernet.search.front import Front as Front
from supernet.search.front import FrontFile as FrontFile
from supernet.search.predicting import WithPredictor as WithPredictor
from supernet.search.problem import AskTell as AskTell
from supernet.search.problem import Companion as Companion
from supernet.search.problem import Predicting as Predicting
from supernet.search.problem import Problem as Problem
from supernet.search.problem import Searcher as Searcher
from supernet.search.problem import Wrap as Wrap
from supernet.search.published import evolution as evolution
from supernet.search.published import nsga2 as nsga2
from supernet.search.published import random as random
from supernet.search.published import regularised_evolution as regularised_evolution
from supernet.search.request import Request as Request
from supernet.search.sampler import FeasibleSampler as FeasibleSampler
from supernet.search.searchers.evolution import Evolution as Evolution
from supernet.search.searchers.nsga2 import NSGA2 as NSGA2
from supernet.search.searchers.random import RandomSearch as RandomSearch
from supernet.search.searchers.regularised_evolution import RegularisedEvolution as RegularisedEvolution
from supernet.search.shifting import Shifting as Shifting
from supernet.search.shifting import load_shifted as load_shifted
from supernet.search.survey import Survey as Survey
from supernet.search.survey import survey as survey

__all__ = [
    "NSGA2",
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
    "Predicting",
    "Problem",
    "RandomSearch",
    "RegularisedEvolution",
    "Request",
    "Searcher",
    "Shifting",
    "Survey",
    "WithPredictor",
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
