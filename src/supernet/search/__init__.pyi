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
from supernet.search.frequent import DropRare as DropRare
from supernet.search.front import Front as Front
from supernet.search.front import FrontFile as FrontFile
from supernet.search.inside import MeasureArchive as MeasureArchive
from supernet.search.inside import SearchForArchive as SearchForArchive
from supernet.search.joining import Joining as Joining
from supernet.search.predicting import WithPredictor as WithPredictor
from supernet.search.problem import AskTell as AskTell
from supernet.search.problem import Companion as Companion
from supernet.search.problem import Predicting as Predicting
from supernet.search.problem import Problem as Problem
from supernet.search.problem import Searcher as Searcher
from supernet.search.problem import Wrap as Wrap
from supernet.search.published import autoformer_evolution as autoformer_evolution
from supernet.search.published import coarse_to_fine as coarse_to_fine
from supernet.search.published import evolution as evolution
from supernet.search.published import hat_evolution as hat_evolution
from supernet.search.published import nsga2 as nsga2
from supernet.search.published import nsga3 as nsga3
from supernet.search.published import ofa_evolution as ofa_evolution
from supernet.search.published import optuna as optuna
from supernet.search.published import outside as outside
from supernet.search.published import pareto_bins as pareto_bins
from supernet.search.published import pbil as pbil
from supernet.search.published import policy_gradient as policy_gradient
from supernet.search.published import random as random
from supernet.search.published import regularised_evolution as regularised_evolution
from supernet.search.published import rlnas_evolution as rlnas_evolution
from supernet.search.published import traversal as traversal
from supernet.search.published import ucb_tree as ucb_tree
from supernet.search.request import Request as Request
from supernet.search.sampler import FeasibleSampler as FeasibleSampler
from supernet.search.searchers.coarse_to_fine import CoarseToFine as CoarseToFine
from supernet.search.searchers.evolution import Evolution as Evolution
from supernet.search.searchers.hat_evolution import HATEvolution as HATEvolution
from supernet.search.searchers.nsga2 import NSGA2 as NSGA2
from supernet.search.searchers.nsga3 import NSGA3 as NSGA3
from supernet.search.searchers.ofa_evolution import OFAEvolution as OFAEvolution
from supernet.search.searchers.optuna import Optuna as Optuna
from supernet.search.searchers.outside import Optimiser as Optimiser
from supernet.search.searchers.outside import Outside as Outside
from supernet.search.searchers.pareto_bins import ParetoBins as ParetoBins
from supernet.search.searchers.pbil import PBIL as PBIL
from supernet.search.searchers.policy_gradient import PolicyGradient as PolicyGradient
from supernet.search.searchers.random import RandomSearch as RandomSearch
from supernet.search.searchers.regularised_evolution import RegularisedEvolution as RegularisedEvolution
from supernet.search.searchers.traversal import Traversal as Traversal
from supernet.search.searchers.ucb_tree import UCBTree as UCBTree
from supernet.search.shifting import Shifting as Shifting
from supernet.search.shifting import load_shifted as load_shifted
from supernet.search.survey import Survey as Survey
from supernet.search.survey import survey as survey

__all__ = [
    "NSGA2",
    "NSGA3",
    "PBIL",
    "AskTell",
    "Begun",
    "Bounds",
    "CoarseToFine",
    "Companion",
    "Constraint",
    "Constraints",
    "DropRare",
    "Evaluation",
    "Evaluator",
    "Evolution",
    "FeasibleSampler",
    "Front",
    "FrontFile",
    "HATEvolution",
    "Joining",
    "MeasureArchive",
    "OFAEvolution",
    "Optimiser",
    "Optuna",
    "Outside",
    "ParetoBins",
    "Point",
    "PolicyGradient",
    "Predicting",
    "Problem",
    "RandomSearch",
    "RegularisedEvolution",
    "Request",
    "SearchForArchive",
    "Searcher",
    "Shifting",
    "Survey",
    "Traversal",
    "UCBTree",
    "WithPredictor",
    "Wrap",
    "autoformer_evolution",
    "check",
    "coarse_to_fine",
    "evolution",
    "hat_evolution",
    "load_shifted",
    "nsga2",
    "nsga3",
    "ofa_evolution",
    "optuna",
    "outside",
    "pareto_bins",
    "pbil",
    "policy_gradient",
    "random",
    "regularised_evolution",
    "rlnas_evolution",
    "run",
    "survey",
    "traversal",
    "ucb_tree",
]
