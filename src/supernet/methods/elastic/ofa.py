"""OFA: Once-for-All: Train One Network and Specialize it for Efficient Deployment (Cai et al., ICLR 2020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from supernet.errors import UsageError
from supernet.paper import Paper
from supernet.train import (
    Agreeing,
    CopyOfNet,
    Cosine,
    CrossEntropy,
    Distillation,
    LargestOptions,
    Part,
    Phase,
    Recipe,
    Sampler,
    Scaled,
    SortChannels,
    TakeCopy,
    TrainPaths,
    Uniform,
    Updates,
    WarmupThen,
    sgd,
)

PAPER = Paper(
    name="OFA",
    title="Once-for-All: Train One Network and Specialize it for Efficient Deployment",
    authors=("Cai", "Gan", "Wang", "Zhang", "Han"),
    venue="ICLR",
    year=2020,
    arxiv="1908.09791",
    provenance="official code",
)


class Stage(NamedTuple):
    """One stage of progressive shrinking.

    Attributes:
        kind: The kind of choices that has more options from here on, the last word of their names.
        options: How many of them, the largest ones; None: all.
        epochs: Its length, relative to the other stages.
        warmup: The part of it in which the learning rate rises.
        rate: Its learning rate, as a factor on that of the weights.
        paths: The subnets of a step, whose gradients are summed.
    """

    kind: str
    options: int | None
    epochs: float
    warmup: float
    rate: float
    paths: int


LARGEST = Stage("largest", None, 180, 5, 2.6 / 0.96, 1)
"""The training of the largest network, a reconstruction: the released code begins with its weights."""

MOBILE = (
    Stage("kernel", None, 125, 5, 1.0, 1),
    Stage("depth", 2, 25, 0, 1 / 12, 2),
    Stage("depth", None, 125, 5, 1 / 4, 2),
    Stage("expansion", 2, 25, 0, 1 / 12, 4),
    Stage("expansion", None, 125, 5, 1 / 4, 4),
)
RESNET = (*MOBILE[1:], Stage("width", 2, 25, 0, 1 / 12, 4), Stage("width", None, 125, 5, 1 / 4, 4))
STAGES: Mapping[str, Sequence[Stage]] = {"mobile": MOBILE, "resnet": RESNET}
"""Of the mobile spaces, as in the released code; and of `zoo.ofa_resnet50d`, a reconstruction."""

WEIGHTS = sgd(  # of 32 GPUs; what no subnet of a step uses decays, as in the PyTorch of the time
    0.96, nesterov=True, weight_decay=3e-5, schedule=Cosine(), inactive="decay", decay_vectors=False, per=2048
)


def ofa(
    *,
    stages: Literal["mobile", "resnet"] | Sequence[Stage] = "mobile",
    largest: Stage | None = LARGEST,
    sort: Sequence[str] = ("expansion", "width 2"),
    distillation: float = 1.0,
    resolution: str | None = "resolution",
    start: float = 1 / 32,
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """OFA: progressive shrinking from the largest network, which teaches: kernels, then depths, then expansions.

    [arXiv 1908.09791](https://arxiv.org/abs/1908.09791), §3.2 and §4.1. The largest network is trained first; a copy of
    it is the teacher of all that follows. Each stage allows more of the smaller options, and trains uniformly drawn
    subnets of what is allowed by labels and teacher. Before the stages of narrower blocks their channels are sorted
    (`SortChannels`). All subnets of a step, and the teacher, see images of one resolution, drawn for the step.

    The space is `zoo.ofa_mobilenetv3` or `zoo.ofa_proxyless`, or `zoo.ofa_resnet50d` with `stages="resnet"`; or another
    whose choices have the last words `kernel`, `depth`, `expansion` and `resolution`. As published it is 180 + 125 + 25
    + 125 + 25 + 125 epochs with batches of 2,048; the first of these, of the largest network, is a reconstruction.

    Args:
        stages: What becomes elastic, in order: `"mobile"`, `"resnet"`, or stages of one's own.
        largest: The training of the largest network; None: the supernet begins with its weights (`init=` of `fit`),
            which are the teacher's too.
        sort: The stages before which channels are sorted: all of a kind, or single ones by their names.
        distillation: The weight of the teacher beside the labels.
        resolution: The choice that the paths of a step and the teacher share; None: there is none.
        start: The factor on the learning rate at which a warm-up begins.
        label_smoothing: Share of the target of the labels' cross-entropy that is spread over the classes.
        weights: How the supernet's weights are stepped, before the factors of the stages.

    Raises:
        UsageError: there is no stage, or one has no epochs.
    """
    stages = STAGES[stages] if isinstance(stages, str) else tuple(stages)
    whole = stages if largest is None else (largest, *stages)
    if not stages or min(stage.epochs for stage in whole) <= 0:
        raise UsageError(f"OFA was given the stages {whole}; give at least one, and each some epochs.")
    labels = CrossEntropy(label_smoothing)
    shared = () if resolution is None else (resolution,)
    taught = Distillation(weight=distillation, labels=labels, same=shared)
    allowed: dict[str, int | None] = {stage.kind: 1 for stage in stages}
    allowed.update(dict.fromkeys(name.rpartition(".")[2] for name in shared))
    phases: list[Phase] = []
    for stage in whole:
        name = stage.kind if stage.options is None else f"{stage.kind} {stage.options}"
        before = LargestOptions(dict(allowed))
        if stage is not largest:
            allowed[stage.kind] = stage.options
        sampler: Sampler = Uniform(stage.paths)
        schedule = WarmupThen(stage.warmup / stage.epochs, weights.schedule, start)
        phases.append(
            Phase(
                name=name,
                share=stage.epochs,
                program=TrainPaths(
                    sampler=sampler if resolution is None else Agreeing(sampler, resolution),
                    objective=labels if stage is largest else taught,
                ),
                enter=SortChannels(before) if stage.kind in sort or name in sort else None,
                leave=TakeCopy() if stage is largest else None,
                restrict=LargestOptions(dict(allowed)),
                updates={"weights": replace(weights, schedule=Scaled(stage.rate, schedule))},
            )
        )
    teacher = Part(build=CopyOfNet(dropout=False))
    return Recipe(name="ofa", program=tuple(phases), weights=weights, parts={"teacher": teacher})
