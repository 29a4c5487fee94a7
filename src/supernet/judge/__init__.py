"""Is the supernet's ranking right? Its scores against ground truth, beside baselines; the measures are in `rank`."""

from supernet.judge.alone import train_alone
from supernet.judge.along import OrderAlong, RankAlong
from supernet.judge.cells import Cell, cell_shapes, cells_of, gradient_variance, loss_along
from supernet.judge.clusters import Cluster, Clusters, similarity, specialisation
from supernet.judge.derived import Standing, standing
from supernet.judge.distribution import Distribution
from supernet.judge.rank_report import rank_report
from supernet.judge.report import RankReport
from supernet.judge.truth.csv_file import read_csv, write_csv
from supernet.judge.truth.growing import TruthFile, read_truth_file
from supernet.judge.truth.read import (
    nasbench201_digits_truth,
    nasbench201_truth,
    nasbench_macro_truth,
    natsbench_size_truth,
    read_truth,
)
from supernet.judge.truth.surrogate import Surrogate, fit_surrogate
from supernet.judge.truth.truth import Truth

__all__ = [
    "Cell",
    "Cluster",
    "Clusters",
    "Distribution",
    "OrderAlong",
    "RankAlong",
    "RankReport",
    "Standing",
    "Surrogate",
    "Truth",
    "TruthFile",
    "cell_shapes",
    "cells_of",
    "fit_surrogate",
    "gradient_variance",
    "loss_along",
    "nasbench201_digits_truth",
    "nasbench201_truth",
    "nasbench_macro_truth",
    "natsbench_size_truth",
    "rank_report",
    "read_csv",
    "read_truth",
    "read_truth_file",
    "similarity",
    "specialisation",
    "standing",
    "train_alone",
    "write_csv",
]
