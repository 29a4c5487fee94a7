"""ENAS: Efficient Neural Architecture Search via Parameter Sharing (Pham et al., ICML 2018)."""

from __future__ import annotations

from typing import Any

from supernet.paper import Paper
from supernet.train import (
    FreshBatch,
    LSTMController,
    Part,
    Recipe,
    Reinforce,
    SampleAndRank,
    StepDecay,
    Updates,
    WarmRestarts,
    WeightsThenPolicy,
    adam,
    sgd,
)
from supernet.train.ratings._protocol import Rating
from supernet.train.ratings.inverse_perplexity import InversePerplexity

PAPER = Paper(
    name="ENAS",
    title="Efficient Neural Architecture Search via Parameter Sharing",
    authors=("Pham", "Guan", "Zoph", "Le", "Dean"),
    venue="ICML",
    year=2018,
    arxiv="1802.03268",
    provenance="official code",
)

# From 0.05 to 0.0005, restarts after 10, 30, 70 and 150 epochs; the code adds λ‖w‖² to the loss, a decay of 2 λ.
WEIGHTS = sgd(0.05, nesterov=True, weight_decay=5e-4, schedule=WarmRestarts(floor=0.01), inactive="decay")
CONTROLLER = adam(1e-3, betas=(0.0, 0.999), eps=1e-3)

MACRO: dict[str, Any] = {}
"""The search of whole networks (`zoo.enas_macro`): the defaults."""

MICRO: dict[str, Any] = {
    "lstm": LSTMController(tanh=1.1, reduce=2.5, favour=("sep_conv_3x3", "sep_conv_5x5")),
    "updates": 30,
    "samples": 10,
    "weights": WEIGHTS.with_settings(weight_decay=2e-4),
    "controller": CONTROLLER.with_settings(lr=3.5e-3),
}
"""The search of cells (`zoo.enas_micro`)."""

NAS_BENCH_201: dict[str, Any] = {
    "lstm": LSTMController(size=32, layers=2, bias=True, tanh=2.5, temperature=5.0),
    "begin": None,
    "derived": 100,
    "weights": WEIGHTS.with_settings(weight_decay=2.5e-4, clip_norm=5.0, schedule=WarmRestarts(floor=0.01, back=True)),
    "controller": CONTROLLER.with_settings(clip_norm=5.0),
}
"""The protocol of NAS-Bench-201 (`zoo.nasbench201`)."""

PENN_TREEBANK: dict[str, Any] = {
    "lstm": LSTMController(size=100, tanh=2.5, temperature=5.0),
    "rating": InversePerplexity(80.0),
    "updates": 2000,
    "samples": 1,
    "auxiliary": 0.0,
    "weights": sgd(
        20.0,
        momentum=0.0,
        weight_decay=2e-7,
        clip_norm=0.25,
        schedule=StepDecay(0.96, begin=15),
        inactive="decay",
    ),
    "controller": CONTROLLER.with_settings(lr=3.5e-4),
}
"""The search of recurrent cells (`zoo.enas_rnn`) as the paper tells it."""

PENN_TREEBANK_RELEASED: dict[str, Any] = {
    "lstm": LSTMController(size=100, tanh=2.5, temperature=5.0),
    "rating": InversePerplexity(80.0),
    "updates": 100,
    "samples": 10,
    "entropy": 1e-3,
    "auxiliary": 0.0,
    "weights": sgd(
        8.75,
        momentum=0.0,
        weight_decay=2e-7 / 35,
        clip_norm=10 / 35,
        schedule=StepDecay(0.95, begin=12, floor=0.002),
        inactive="decay",
    ),
}
"""The search of recurrent cells as the authors' script runs it; its loss is a sum over 35 places, here a mean."""


def enas(
    *,
    lstm: LSTMController = LSTMController(),
    updates: int = 50,
    samples: int = 20,
    models: int = 1,
    every: int = 1,
    entropy: float = 1e-4,
    decay: float = 0.99,
    begin: float | None = 0.0,
    auxiliary: float = 0.4,
    rating: Rating = FreshBatch(),
    derived: int = 10,
    weights: Updates = WEIGHTS,
    controller: Updates = CONTROLLER,
) -> Recipe:
    """ENAS: an LSTM draws one architecture per step; after every epoch it learns from accuracies on validation batches.

    [arXiv 1802.03268](https://arxiv.org/abs/1802.03268), §2. A move on the controller is REINFORCE: −(R − b) ∇ log π,
    a mean over `samples` architectures, where R is the accuracy on a validation batch of its own plus `entropy` times
    the controller's entropy, and b the moving average of R. In the end the best of `derived` architectures is taken.

    The defaults are those of the authors' search of whole networks (`enas(**MACRO)`, `zoo.enas_macro`), with batches of
    128 for 310 epochs. `enas(**MICRO)` is that of cells (`zoo.enas_micro`), with batches of 160 for 150 epochs; both
    validate on 5,000 of the training images (`validation=0.1`). `enas(**NAS_BENCH_201)` is the protocol of that
    benchmark, with batches of 128 for 250 epochs and half of the images for validation. Any other space will do.

    Args:
        lstm: Sizes and constants of the controller.
        updates: The moves on the controller after an epoch.
        samples: The architectures that each of them averages over.
        models: The architectures that a move on the weights averages over, M.
        every: Epochs of the weights before the controller learns.
        entropy: The factor on the entropy in the reward.
        decay: The share of the baseline that is kept at each reward.
        begin: The baseline before the first reward; None: the first reward.
        auxiliary: The factor on the loss of auxiliary heads, in networks that have some.
        rating: What an architecture is worth on a validation batch, in rewards (1 − rating) and in the end.
        derived: Number of architectures of which the best is taken.
        weights: How the supernet's weights are stepped.
        controller: How the parameters of the controller are stepped.
    """
    program = WeightsThenPolicy(
        auxiliary=auxiliary,
        models=models,
        policy_gradient=Reinforce(rating=rating, decay=decay, begin=begin, entropy=entropy),
        updates=updates,
        samples=samples,
        every=every,
    )
    return Recipe(
        name="enas",
        program=program,
        weights=weights,
        parts={"controller": Part(build=lstm, updates=controller)},
        derive=SampleAndRank(samples=derived, rating=rating, part="controller"),
    )
