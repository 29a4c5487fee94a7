"""MixPath: A Unified Approach for One-shot Neural Architecture Search (Chu et al., ICCV 2023)."""

from __future__ import annotations

from typing import Any

from supernet.paper import Paper
from supernet.search import NSGA2
from supernet.train import Cosine, CrossEntropy, Recipe, Sampler, TrainPaths, Updates, sgd
from supernet.train.samplers.uniform_sizes import UniformSizes

PAPER = Paper(
    name="MixPath",
    title="MixPath: A Unified Approach for One-shot Neural Architecture Search",
    authors=("Chu", "Lu", "Li", "Zhang"),
    venue="ICCV",
    year=2023,
    arxiv="2001.05887",
    provenance="official code",
)

WEIGHTS = sgd(0.025, weight_decay=3e-4, schedule=Cosine(floor=4e-7), clip_norm=5.0, inactive="decay")
SEARCH = NSGA2(population=40)  # reconstruction: no code of the search was released

NAS_BENCH_101: dict[str, Any] = {"weights": WEIGHTS.with_settings(inactive="freeze", decay_vectors=False)}
"""The training on cells of NAS-Bench-101 (`zoo.mixpath_nasbench101`): norms do not decay, unused weights stay."""


def mixpath(*, sampler: Sampler = UniformSizes(), label_smoothing: float = 0.0, weights: Updates = WEIGHTS) -> Recipe:
    """MixPath: in every layer a random number of paths run at once and are summed.

    [arXiv 2001.05887](https://arxiv.org/abs/2001.05887). A step trains one architecture of a space of sets, such as
    `zoo.mixpath`, whose norms are told apart by the number of paths (`nn.NormBank`). Defaults are those of the released
    code on CIFAR-10: 200 epochs of batches of 96, SGD along half a cosine from 0.025 to 1e-8, norm of the gradient
    clipped at 5, parameters that were not used moved by momentum and weight decay. `mixpath(**NAS_BENCH_101)` is its
    training on the cells of `zoo.mixpath_nasbench101`.

    Args:
        sampler: The rule that draws paths.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the supernet's weights are stepped.
    """
    program = TrainPaths(sampler=sampler, objective=CrossEntropy(label_smoothing))
    return Recipe(name="mixpath", program=program, weights=weights)
