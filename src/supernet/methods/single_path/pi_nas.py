"""Π-NAS: Reducing Supernet Training Consistency Shift (Peng et al., ICCV 2021)."""

from __future__ import annotations

from typing import Literal

from supernet.data.derived.viewed import Viewed
from supernet.nn.headless import classifier_parameters
from supernet.paper import Paper
from supernet.search import UCBTree
from supernet.train import CopyOfNet, Cosine, Milestones, Part, Phase, Recipe, Slice, Updates
from supernet.train.objectives.info_nce import InfoNCE
from supernet.train.parts.key_queue import QueueOfKeys
from supernet.train.parts.neck import NeckOfNet
from supernet.train.programs.cross_paths import CrossPaths
from supernet.train.programs.train_part import TrainPart
from supernet.train.updates import sgd
from supernet.train.values._protocol import Number

PAPER = Paper(
    name="Π-NAS",
    title="Pi-NAS: Improving Neural Architecture Search by Reducing Supernet Training Consistency Shift",
    authors=("Peng", "Zhang", "Li", "Wang", "Liang", "Lin"),
    venue="ICCV",
    year=2021,
    arxiv="2108.09671",
    provenance="official code",
)

# Unsampled parameters decay: the released code has gradients of zero (before PyTorch 2.0).
WEIGHTS = sgd(0.03, weight_decay=1e-4, schedule=Cosine(), inactive="decay")
HEAD = sgd(30.0, schedule=Milestones(at=(0.6, 0.8), factor=0.1))
SEARCH = UCBTree()


def pi_nas(
    *,
    decay: Number = 0.999,
    queue: int = 49_152,
    temperature: float = 0.2,
    hidden: int = 2048,
    width: int = 128,
    views: Literal[2, 4] = 4,
    shared: Literal["twice", "once"] = "twice",
    linear_epochs: float = 100,
    weights: Updates = WEIGHTS,
    head: Updates = HEAD,
) -> Recipe:
    """Π-NAS: two paths without a common option learn, by contrast, from each other's mean teacher; then a linear head.

    [arXiv 2108.09671](https://arxiv.org/abs/2108.09671), by its released code. For 100 epochs no label is read: the
    query of each path is told from a queue of keys by the key that the teacher gives the other path for another view of
    the image. The teacher is an average of the weights in which a step moves only what its paths use. For another 100
    epochs the classifier alone learns the labels, through uniform paths of the frozen network; accuracy, which the
    subnets rank by, is then that of a linear probe. `SEARCH` is the published search, of 1,000 subnets.

    Args:
        decay: The share of the teacher that an average keeps.
        queue: The number of keys that a query is told from; a multiple of the batch size.
        temperature: τ of the contrast.
        hidden: The number of units between the two layers of the neck.
        width: The number of entries of queries and keys.
        views: The number of views of an image: 4, a query and a key for each path; or 2, one for each path.
        shared: How often a step averages what both paths use (stem, neck): `"twice"`, as in the released code, or
            `"once"`.
        linear_epochs: The length of the training of the classifier, if that before it lasts for 100.
        weights: How the supernet's weights and the neck are stepped.
        head: How the classifier is stepped after that.

    Raises:
        UsageError: a number outside its range; before the first step, a choice with a single option; at the first step,
            a queue that is no multiple of the batch size.
    """
    contrast = CrossPaths(objective=InfoNCE(temperature=temperature), decay=decay, views=views, shared=shared)
    return Recipe(
        name="pi_nas",
        program=(
            Phase(name="contrast", share=100, program=contrast, data=Viewed(views)),
            Phase(name="linear", share=linear_epochs, program=TrainPart()),
        ),
        weights=weights,
        parts={
            "head": Slice(select=classifier_parameters, updates=head),
            "neck": Part(build=NeckOfNet(hidden=hidden, width=width), updates=weights),
            "teacher": Part(build=CopyOfNet()),
            "teacher_neck": Part(build=NeckOfNet(hidden=hidden, width=width, learn=False)),
            "queue": Part(build=QueueOfKeys(size=queue, width=width)),
        },
    )
