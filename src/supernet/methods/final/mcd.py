"""The adversarial training for domain adaptation of Saito et al. (CVPR 2018), by which NASDA trains what it finds."""

from __future__ import annotations

from typing import Any, Literal

from supernet.data.derived.with_target import WithTarget
from supernet.nn.headless import classifier_parameters
from supernet.paper import Paper
from supernet.train import CrossEntropy, Part, Recipe, Slice, Updates, adam
from supernet.train.parts.further_classifiers import FurtherClassifiers
from supernet.train.programs.against_classifiers import AgainstClassifiers

PAPER = Paper(
    name="MCD",
    title="Maximum Classifier Discrepancy for Unsupervised Domain Adaptation",
    authors=("Saito", "Watanabe", "Ushiku", "Harada"),
    venue="CVPR",
    year=2018,
    arxiv="1712.02560",
    provenance="official code",
)

WEIGHTS = adam(2e-4, weight_decay=5e-4)

NASDA: dict[str, Any] = {"distance": "sum"}
"""NASDA, phase II: the distance of probabilities is their L1 norm. How many classifiers it has is not known to us."""


def mcd(
    *,
    classifiers: int = 2,
    repeat: int = 4,
    distance: Literal["mean", "sum"] = "mean",
    label_smoothing: float = 0.0,
    weights: Updates = WEIGHTS,
    heads: Updates | None = None,
) -> Recipe:
    """MCD: classifiers come to disagree on images of a new domain, and the features learn to have them agree.

    [arXiv 1712.02560](https://arxiv.org/abs/1712.02560); settings of the released code for digits, batches of 128. On
    every batch all learn on the labelled source; then the classifiers learn to contradict each other on the unlabelled
    target, while the features are fixed; then the features learn, `repeat` times, to have them agree. It is a method
    for `supernet retrain` and `deploy.retrained`, and phase II of `nasda`; as a method for a supernet it trains uniform
    paths.

    It needs data with a split `target`, such as `supernet.data.digit_domains(adapt=0.5)`. The first classifier is the
    last layer of the network, with which it is evaluated and exported; the others are beside it in the training alone.

    Args:
        classifiers: The number of classifiers, that of the network among them.
        repeat: How often the features are stepped on a batch (n in the paper).
        distance: How probabilities of two classifiers are compared: by the `"mean"` of |p − q| over the classes, or by
            their `"sum"`, NASDA's.
        label_smoothing: The label smoothing of the cross-entropy.
        weights: How the features are stepped.
        heads: How the classifiers are stepped; None: like the features.

    Raises:
        UsageError: a value outside its range; before the first step, data without a target.
    """
    stepped = weights if heads is None else heads
    return Recipe(
        name="mcd",
        program=AgainstClassifiers(objective=CrossEntropy(label_smoothing), repeat=repeat, distance=distance),
        weights=weights,
        parts={
            "classifier": Slice(select=classifier_parameters, updates=stepped),
            "classifiers": Part(build=FurtherClassifiers(count=classifiers - 1), updates=stepped),
        },
        data=WithTarget(),
    )
