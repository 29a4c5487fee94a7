"""DATA: a supernet that is trained without labels, for the domain and the task (Chang et al., CVPR 2022)."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.data.derived.viewed import Viewed
from supernet.data.derived.viewed_by import ViewedBy
from supernet.errors import UsageError
from supernet.nn.headless import classifier_parameters
from supernet.paper import Paper
from supernet.search import RandomSearch
from supernet.train import LARS, Cosine, Milestones, Phase, Recipe, Sandwich, Slice, Updates, Warmup
from supernet.train.combines._protocol import Combine
from supernet.train.combines.sum import Sum
from supernet.train.pretexts._protocol import Pretext
from supernet.train.pretexts.moco import MoCo
from supernet.train.programs.pretrain import Keys, Pretrain
from supernet.train.programs.train_part import TrainPart
from supernet.train.scores.embedding_distance import EmbeddingDistance
from supernet.train.updates import sgd

PAPER = Paper(
    name="DATA",
    title="DATA: Domain-Aware and Task-Aware Self-supervised Learning",
    authors=("Chang", "Peng", "Xie", "Sun", "Yin", "Tian", "Zhang"),
    venue="CVPR",
    year=2022,
    arxiv="2203.09041",
    provenance="official code",
)

WEIGHTS = sgd(0.03, weight_decay=1e-4, schedule=Cosine())
BYOL_WEIGHTS = Updates(optimiser=LARS(lr=0.2, weight_decay=1.5e-6), schedule=Warmup(2 / 100, Cosine(), start=1e-4))
HEAD = sgd(30.0, schedule=Milestones(at=(0.6, 0.8), factor=0.1))
SEARCH = RandomSearch()
CANDIDATES = 40


@dataclass(frozen=True, kw_only=True)
class LinearProbe:
    """A second phase in which the classifier alone learns the labels, through uniform subnets of the frozen network.

    Args:
        epochs: Its length, where the training before it lasts for 200.
        updates: How the classifier is stepped; the default is MoCo's.

    Raises:
        UsageError: a length that is not positive.
    """

    epochs: float = 100
    updates: Updates = HEAD

    def __post_init__(self) -> None:
        if not self.epochs > 0:
            raise UsageError(f"The linear probe lasts {self.epochs} epochs; give a number above 0, or probe=None.")


def data_ssl(
    *,
    pretext: Pretext = MoCo(),
    random: int = 1,
    keys: Keys = "once",
    combine: Combine = Sum(),
    distance: EmbeddingDistance = EmbeddingDistance(),
    probe: LinearProbe | None = None,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """DATA: subnets learn without labels from the largest one's teacher; the one closest to it on a task's images wins.

    [arXiv 2203.09041](https://arxiv.org/abs/2203.09041), by its released code. In each of 200 epochs' steps the largest
    subnet, the smallest and a random one are trained on one view of the images against keys that a mean teacher, always
    as the largest architecture, gives another view. For a task, 40 random subnets in a range of costs are compared with
    the teacher on its images (`SEARCH`, `CANDIDATES`), and the closest is taken out and fine-tuned.

    Args:
        pretext: What is learned: `MoCo()`, `BYOL()` or `ReSSL()`, with their settings. The published one of BYOL is
            stepped by `BYOL_WEIGHTS`.
        random: The number of random subnets of a step, beside the largest and the smallest; the files of the released
            code that search have 3.
        keys: Whether the teacher moves and keys are made `"once"` in a step, or for `"each"` subnet (released code).
        combine: How the gradients of the subnets become one.
        distance: What subnets are ranked by.
        probe: A phase after it in which the classifier learns the labels, so that accuracy is that of a linear probe;
            None: no label is read.
        weights: How the supernet's weights, the neck and the predictor are stepped.

    Raises:
        UsageError: a value outside its range; at the first step, a queue that is no multiple of the batch size.
    """
    program = Pretrain(pretext=pretext, sampler=Sandwich(random, smallest="second"), keys=keys, combine=combine)
    views = Viewed(2) if pretext.views is None else ViewedBy(pretext.views)
    phases = [Phase(name="pretrain", share=200, program=program, data=views)]
    if probe is not None:
        phases.append(Phase(name="linear", share=probe.epochs, program=TrainPart()))
    head = {} if probe is None else {"head": Slice(select=classifier_parameters, updates=probe.updates)}
    return Recipe(
        name="data_ssl",
        program=tuple(phases),
        weights=weights,
        parts={**head, **pretext.parts(weights)},
        ranks_by=distance,
    )
