"""Is the supernet's ranking right? Rank measures with their evidence, beside baselines.

The measures need NumPy only; intervals over several trainings and clusters need SciPy (extra "judge").
"""

from supernet.judge.along import OrderAlong, RankAlong
from supernet.judge.clusters import Cluster, Clusters, similarity, specialisation
from supernet.judge.rank_report import rank_report
from supernet.judge.report import RankReport
from supernet.judge.retraining import retrain
from supernet.judge.sampling import Sampler, independent_sampler
from supernet.judge.truth.named import read_truth
from supernet.judge.truth.table import Table
from supernet.judge.truth.table_file import TableFile
from supernet.judge.two_edges import derive_two_edges, pair_probabilities, two_edge_choices, two_edge_sampler
from supernet.rank.comparison import Comparison
from supernet.rank.correlation import pearson_r, spearman_rho
from supernet.rank.curves import Curves, Line
from supernet.rank.estimate import Estimate
from supernet.rank.evidence import difference, estimate
from supernet.rank.kendall import kendall_tau, partial_tau
from supernet.rank.mass import sampling_mass, sampling_mass_curve, sampling_mass_of_draws
from supernet.rank.measures import (
    RHO,
    TAU,
    Measure,
    R,
    best_rank,
    precision,
    regret_at,
    tau_in_predicted,
    tau_in_true,
    top_id,
)
from supernet.rank.noise import NoiseCeiling
from supernet.rank.order import OrderPreservation, draw_good_and_poor, order_along, order_preservation
from supernet.rank.picks import best_of_top_k, best_rank_at_k, regret
from supernet.rank.ranks import add_ranks
from supernet.rank.top import precision_at_k, top_id_curve, top_id_rate, top_k
from supernet.rank.top_tau import tau_in_predicted_top, tau_in_true_top

__all__ = [
    "RHO",
    "TAU",
    "Cluster",
    "Clusters",
    "Comparison",
    "Curves",
    "Estimate",
    "Line",
    "Measure",
    "NoiseCeiling",
    "OrderAlong",
    "OrderPreservation",
    "R",
    "RankAlong",
    "RankReport",
    "Sampler",
    "Table",
    "TableFile",
    "add_ranks",
    "best_of_top_k",
    "best_rank",
    "best_rank_at_k",
    "derive_two_edges",
    "difference",
    "draw_good_and_poor",
    "estimate",
    "independent_sampler",
    "kendall_tau",
    "order_along",
    "order_preservation",
    "pair_probabilities",
    "partial_tau",
    "pearson_r",
    "precision",
    "precision_at_k",
    "rank_report",
    "read_truth",
    "regret",
    "regret_at",
    "retrain",
    "sampling_mass",
    "sampling_mass_curve",
    "sampling_mass_of_draws",
    "similarity",
    "spearman_rho",
    "specialisation",
    "tau_in_predicted",
    "tau_in_predicted_top",
    "tau_in_true",
    "tau_in_true_top",
    "top_id",
    "top_id_curve",
    "top_id_rate",
    "top_k",
    "two_edge_choices",
    "two_edge_sampler",
]
