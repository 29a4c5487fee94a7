"""AttentiveNAS: Improving Neural Architecture Search via Attentive Sampling (Wang et al., CVPR 2021)."""

from __future__ import annotations

from typing import Literal

from supernet.paper import Paper
from supernet.train import (
    BatchLoss,
    BestOf,
    Cosine,
    EqualCost,
    InPlaceDistillation,
    Predicted,
    Recipe,
    Sandwich,
    TrainPaths,
    Updates,
    Warmup,
    sgd,
)
from supernet.train.ratings.predicted import Predictor
from supernet.train.values._protocol import check_value

PAPER = Paper(
    name="AttentiveNAS",
    title="AttentiveNAS: Improving Neural Architecture Search via Attentive Sampling",
    authors=("Wang", "Li", "Gong", "Chandra"),
    venue="CVPR",
    year=2021,
    arxiv="2011.09011",
    provenance="official code",
)

WEIGHTS = sgd(  # 5 of 360 epochs of warm-up; 0.8 for the authors' batches of 2,048
    0.1,
    nesterov=True,
    weight_decay=1e-5,
    schedule=Warmup(5 / 360, Cosine(), start=0.001),
    clip_value=1.0,
    decay_vectors=False,
    per=256,
    whole=True,
)


def attentivenas(
    *,
    mode: Literal["best", "worst"] = "best",
    candidates: int = 3,
    bins: int = 70,
    predictor: Predictor | None = None,
    random: int = 2,
    drop_path: float = 0.2,
    label_smoothing: float = 0.1,
    regularise: Literal["all", "first"] = "first",
    weights: Updates = WEIGHTS,
) -> Recipe:
    """AttentiveNAS: the sandwich rule, its random subnets the best (or worst) of three of the same cost.

    [arXiv 2011.09011](https://arxiv.org/abs/2011.09011). For each of the two a bin of MACs is drawn as often as the
    space has it, then `candidates` subnets within; the one with the lowest loss on the batch (BestUp) or the highest
    (WorstUp) is trained. The defaults are those of the released code. Batch norm statistics are never updated there:
    build the space with `statistics="calibrate"`.

    Args:
        mode: Whether the `"best"` or the `"worst"` candidate is trained.
        candidates: The number of subnets to choose from; the paper has 3 by loss and 50 by predictor.
        bins: The number of equal bins of MACs between the smallest and the largest subnet.
        predictor: A function from a sequence of architectures to as many scores, the higher the better; None: the loss
            on the batch decides.
        random: The number of subnets between the largest and the smallest.
        drop_path: The setting `drop_path`, which the space spreads over its blocks; 0: none, for spaces without it.
        label_smoothing: Share of the target of the largest subnet's cross-entropy that is spread over the classes; the
            others learn from its softmax. The loss by which candidates are chosen has it too.
        regularise: Whether dropout and drop-path act on the `"first"` (largest) subnet or on `"all"`.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: a value outside its range.
    """
    check_value("The probability of drop-path", drop_path, at_least=0, at_most=0.99)
    attentive = BestOf(
        sampler=EqualCost(count=candidates, bins=bins),
        rating=BatchLoss(label_smoothing) if predictor is None else Predicted(predictor),
        pick=mode,
    )
    program = TrainPaths(
        sampler=Sandwich(random, between=attentive),
        objective=InPlaceDistillation(label_smoothing),
        regularise=regularise,
    )
    return Recipe(
        name="attentivenas", program=program, weights=weights, settings={"drop_path": drop_path} if drop_path else {}
    )
