"""DA-NAS: Data Adapted Pruning for Efficient Neural Architecture Search (Dai et al., ECCV 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from supernet.data import EasiestClasses
from supernet.errors import UsageError
from supernet.paper import Paper
from supernet.train import (
    Bilevel,
    Cosine,
    CrossEntropy,
    DropWeakest,
    ExpectedCost,
    Phase,
    Recipe,
    Relaxation,
    Softmax,
    Strongest,
    Term,
    Terms,
    Updates,
    adam,
    sgd,
)
from supernet.train.parametrisations.option_logits import option_logits

PAPER = Paper(
    name="DA-NAS",
    title="DA-NAS: Data Adapted Pruning for Efficient Neural Architecture Search",
    authors=("Dai", "Chen", "Liu", "Chen", "Yuan"),
    venue="ECCV",
    year=2020,
    arxiv="2003.12563",
    provenance="reconstruction",
)

# ProxylessNAS's rates: those of DA-NAS were not found.
WEIGHTS = sgd(0.025, nesterov=True, weight_decay=4e-5, schedule=Cosine())
ARCHITECTURE = adam(1e-3, betas=(0.5, 0.999), weight_decay=1e-3)
COST = ExpectedCost(logarithm="whole", weight=0.1)


def da_nas(
    *,
    classes: Sequence[float] = (0.1, 0.3, 0.6, 1.0),
    order: tuple[int, ...] | None = None,
    warm_up: float = 10,
    epochs: float = 20,
    drop: float = 0.4,
    relaxation: Relaxation = Softmax(),
    cost: ExpectedCost | None = COST,
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """DA-NAS: from few, easy classes to all of them; at each step the weakest operations of every layer are dropped.

    [arXiv 2003.12563](https://arxiv.org/abs/2003.12563), a reconstruction from what others write of it: no code was
    found. A warm-up of the weights on the easiest classes, then stages in which weights and α move alternately, on
    training and validation images of more and more classes. At the beginning of every stage but the first the share
    `drop` of the options of each choice goes, those with the smallest α (`DropWeakest`). The option with the largest α
    is derived. On ImageNet it is 10 epochs and four stages of 20, with 100, 300, 600 and 1,000 classes.

    Known of the paper are these numbers, the order from easy to hard, a term of the cost and the drop of 40 %. Rates
    and weight decay are ProxylessNAS's; how classes are ordered, that options are counted by choice, and the form of
    the cost, λ log E[MACs], were chosen here.

    Args:
        classes: The share of the classes in each stage, ascending, up to 1.
        order: All classes, the easiest first; None: see `data.EasiestClasses`.
        warm_up: The length of the warm-up, on the classes of the first stage; 0: none.
        epochs: The length of each stage, in the unit of `warm_up`.
        drop: The share of the options that goes from one stage to the next.
        relaxation: The rule by which α becomes mixtures.
        cost: What is added to the loss of α; None: nothing.
        label_smoothing: Share of the target that is spread evenly over the classes; the weights' loss has it alone.
        weights: How the supernet's weights are stepped, along one schedule for all stages.
        architecture: How the architecture parameters α are stepped.

    Raises:
        UsageError: classes that do not become more, or not all, or a number outside its range.
    """
    shares = tuple(classes)
    if not shares or shares[-1] != 1 or any(after <= before for before, after in pairwise(shares)):
        raise UsageError(
            f"The shares of the classes are {shares}; give ascending ones of which the last is 1, such as (0.1, 1.0)."
        )
    if warm_up < 0:
        raise UsageError(f"The warm-up is {warm_up}; give a length, or 0 for none.")
    told = CrossEntropy()
    search = Bilevel(
        relaxation=relaxation,
        objective=CrossEntropy(label_smoothing),
        architecture_objective=told if cost is None else Terms((Term("loss", told), Term("cost", cost))),
    )
    lengths = ([warm_up] if warm_up else []) + [epochs] * len(shares)
    ends = [0.0, *accumulate(lengths)]
    parts = [(begin / ends[-1], end / ends[-1]) for begin, end in pairwise(ends)]
    names = (["warm-up"] if warm_up else []) + [f"stage {number}" for number, _ in enumerate(shares, start=1)]
    phases = tuple(
        Phase(
            name=name,
            share=length,
            program=replace(search, begin=1.0) if name == "warm-up" else search,
            enter=DropWeakest(share=drop) if name not in ("warm-up", "stage 1") else None,
            data=None if share == 1 else EasiestClasses(share, order),
            restart=False,
            part=part,
        )
        for name, length, share, part in zip(names, lengths, (*shares[:1] * bool(warm_up), *shares), parts, strict=True)
    )
    return Recipe(
        name="da_nas",
        program=phases,
        weights=weights,
        parts={"architecture": option_logits(architecture)},
        derive=Strongest(),
    )
