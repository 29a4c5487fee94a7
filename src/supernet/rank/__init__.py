"""Measures of agreement between two rankings, with their evidence. NumPy and SciPy only."""

from supernet.rank.blended import Blend, blend
from supernet.rank.comparison import Comparison
from supernet.rank.curves import (
    Curves,
    Line,
    sampling_mass_curve,
    sampling_mass_of_draws,
    top_id_curve,
)
from supernet.rank.evidence import Estimate, difference, estimate
from supernet.rank.joined import joined_ranks
from supernet.rank.measures import (
    RHO,
    TAU,
    Measure,
    R,
    add_ranks,
    best_rank_at,
    kendall_tau,
    ndcg,
    partial_tau,
    precision,
    regret_at,
    spearman_rho,
    tau_in_predicted_top,
    tau_in_true_top,
    top_id,
)
from supernet.rank.noise import NoiseCeiling, noise_ceiling
from supernet.rank.order import OrderPreservation, draw_good_and_poor, order_along, order_preservation
from supernet.rank.powered import Powered, powered_mean, powered_tau

__all__ = [
    "RHO",
    "TAU",
    "Blend",
    "Comparison",
    "Curves",
    "Estimate",
    "Line",
    "Measure",
    "NoiseCeiling",
    "OrderPreservation",
    "Powered",
    "R",
    "add_ranks",
    "best_rank_at",
    "blend",
    "difference",
    "draw_good_and_poor",
    "estimate",
    "joined_ranks",
    "kendall_tau",
    "ndcg",
    "noise_ceiling",
    "order_along",
    "order_preservation",
    "partial_tau",
    "powered_mean",
    "powered_tau",
    "precision",
    "regret_at",
    "sampling_mass_curve",
    "sampling_mass_of_draws",
    "spearman_rho",
    "tau_in_predicted_top",
    "tau_in_true_top",
    "top_id",
    "top_id_curve",
]
