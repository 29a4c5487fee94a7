"""CDARTS: Cyclic Differentiable Architecture Search (Yu et al., TPAMI 2022)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from supernet.nn import Supernet
from supernet.paper import Paper
from supernet.train import (
    BeginCycle,
    EvaluationNet,
    HeadsOfStages,
    MutualDistillation,
    Part,
    Ramp,
    Recipe,
    Strongest,
    Updates,
    adam,
    sgd,
)
from supernet.train.objectives.mutual_distillation import Distance
from supernet.train.parametrisations.option_logits import option_logits
from supernet.train.programs.cyclic import in_cycles
from supernet.train.values._protocol import Number

PAPER = Paper(
    name="CDARTS",
    title="Cyclic Differentiable Architecture Search",
    authors=("Yu", "Peng", "Huang", "Fu", "Du", "Wang", "Ling"),
    venue="TPAMI",
    year=2022,
    arxiv="2006.10724",
    provenance="official code",
)

WEIGHTS = sgd(0.08, weight_decay=3e-4, clip_norm=5.0)
EVALUATION = WEIGHTS
ARCHITECTURE = adam(3e-4, betas=(0.5, 0.999))

CIFAR_CODE: dict[str, Any] = {"distance": "smooth_l1", "join": "stages"}
"""What the official script for CIFAR-10 compares, where the paper has a divergence (batches of 64)."""

IMAGENET: dict[str, Any] = {
    "cycles": 30,
    "pretrain": 10,
    "warmup": 3,
    "distance": "kl_mean",
    "join": "stages",
    "learn_heads": True,
    "penalty": Ramp(5.0, 0.0, until=0.5),
    "weights": WEIGHTS.with_settings(lr=0.8, weight_decay=1e-5),
    "evaluation": EVALUATION.with_settings(lr=0.8, weight_decay=1e-5),
    "architecture": ARCHITECTURE.with_settings(weight_decay=1e-5),
}
"""The official script for ImageNet (batches of 1024, a fifth of the images per epoch)."""

NAS_BENCH_201: dict[str, Any] = {
    **CIFAR_CODE,
    "cycles": 50,
    "pretrain": 0.0,
    "learn_heads": True,
    "held_back": ("none",),
    "penalty": Ramp(5 / 6, 0.0, until=2 / 3),
}
"""The official script for NAS-Bench-201 (batches of 64), whose penalty is a mean over the 6 edges."""


def cdarts(
    *,
    layers: int | None = None,
    network: Callable[[], Supernet] | None = None,
    cycles: int = 30,
    pretrain: float = 2.0,
    warmup: float = 1.0,
    search: float = 1.0,
    weight: float = 1.0,
    temperature: float = 2.0,
    distance: Distance = "kl",
    join: Literal["sum", "stages"] = "sum",
    learn_heads: bool = False,
    held_back: tuple[str, ...] = ("skip_connect", "max_pool_3x3", "avg_pool_3x3"),
    penalty: Number = Ramp(5.0, 0.0, until=2 / 3),
    copy: bool = True,
    weigh_edges: bool = False,
    exclude: tuple[str, ...] = (),
    weights: Updates = WEIGHTS,
    evaluation: Updates = EVALUATION,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """CDARTS: in cycles, a second network learns the architecture of now, and both networks learn from each other.

    [arXiv 2006.10724](https://arxiv.org/abs/2006.10724). After a while in which the supernet learns alone, every cycle
    derives an architecture, builds the evaluation network anew for it and warms that up; then evaluation network and
    α learn on validation data by (CE_S + CE_E) / λ + λ T² · KL of what the stages of both say, and by c Σ |α| of
    skips and poolings, and the supernet's weights on training data. The last cycle's α decides.

    The paper's search on CIFAR-10 has 8 cells, and 20 in the evaluation network: `zoo.darts(none=True)` with
    `layers=20, exclude=("none",)`.

    Args:
        layers: The cells of the evaluation network, in a space of which networks can be built anew, such as
            `zoo.darts`; None: as many as the supernet has.
        network: The function that builds the evaluation network instead, over the same choices and of the same widths.
        cycles: The number of cycles.
        pretrain: The epochs of the supernet alone; it, `warmup` and `search` decide the shares of the training.
        warmup: The epochs of a cycle in which the evaluation network learns alone.
        search: The epochs of a cycle in which both learn.
        weight: λ.
        temperature: T.
        distance: The distance between the networks, see `MutualDistillation`.
        join: Whether stages are added up before they are compared, see `MutualDistillation`.
        learn_heads: Whether the classifiers behind the stages learn.
        held_back: The options whose |α| is a loss.
        penalty: The factor c on it, over all searches of all cycles.
        copy: Whether the evaluation network keeps the weights of earlier cycles.
        weigh_edges: Whether nodes weigh their edges by β, as PC-DARTS.
        exclude: The options that may not be derived, `("none",)` in DARTS's space.
        weights: How the supernet's weights are stepped.
        evaluation: How the evaluation network, and what joins the stages, are stepped.
        architecture: How α is stepped.

    Raises:
        UsageError: there is no cycle, a phase that lasts for nothing, or `layers` and `network`.
    """
    derive = Strongest(exclude, weigh_edges=weigh_edges)
    together = MutualDistillation(
        weight=weight, temperature=temperature, distance=distance, join=join, held_back=held_back, penalty=penalty
    )
    larger = EvaluationNet(network, {} if layers is None else {"layers": layers})
    return Recipe(
        name="cdarts",
        program=in_cycles(
            BeginCycle(derive, copy=copy), together, cycles=cycles, pretrain=pretrain, warmup=warmup, search=search
        ),
        weights=weights,
        parts={
            "architecture": option_logits(architecture, inputs="edges" if weigh_edges else "ones"),
            "evaluation": Part(build=larger, updates=evaluation),
            "heads": Part(build=HeadsOfStages(learn_heads), updates=evaluation),
        },
        derive=derive,
    )
