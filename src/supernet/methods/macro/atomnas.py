"""AtomNAS: Fine-Grained End-to-End Neural Architecture Search (Mei et al., ICLR 2020)."""

from __future__ import annotations

from typing import Any, Literal

from supernet.errors import UsageError
from supernet.paper import Paper
from supernet.train import (
    CrossEntropy,
    CutChannels,
    Edit,
    Phase,
    Ramp,
    Recipe,
    RMSpropTF,
    ScaleCost,
    StepDecay,
    Term,
    Terms,
    TrainPaths,
    Uniform,
    Updates,
    Warmup,
)
from supernet.train.values._protocol import Number

PAPER = Paper(
    name="AtomNAS",
    title="AtomNAS: Fine-Grained End-to-End Neural Architecture Search",
    authors=("Mei", "Li", "Lian", "Jin", "Yang", "Yuille", "Yang"),
    venue="ICLR",
    year=2020,
    arxiv="1912.09640",
    provenance="official code",
)

# Batches of 2048 reach 0.128 in 5 epochs, from 0.016.
WEIGHTS = Updates(
    optimiser=RMSpropTF(lr=0.016, weight_decay=1e-5, per=256),
    schedule=Warmup(5 / 350, StepDecay(0.97, epochs=2.4), start=1 / 8),
    decay_vectors=False,
)

A: dict[str, Any] = {"weight": Ramp(0.0, 1.8e-4, until=25 / 350)}
"""AtomNAS-A, on `zoo.atomnas(variant="a")`."""

B: dict[str, Any] = {"weight": Ramp(0.0, 1.2e-4, until=25 / 350)}
"""AtomNAS-B, on `zoo.atomnas(variant="b")`."""

C: dict[str, Any] = {"weight": Ramp(0.0, 1.0e-4, until=25 / 350)}
"""AtomNAS-C, on `zoo.atomnas(variant="c")`: the defaults."""


def atomnas(
    *,
    weight: Number | None = Ramp(0.0, 1.0e-4, until=25 / 350),
    equal: bool = False,
    threshold: float = 1e-3,
    every: int = 1,
    worth: float = 1e6,
    empty: Literal["keep", "remove", "refuse"] = "remove",
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """AtomNAS: channels of mixed kernels are charged for what they cost, and cut along the training once they are dead.

    [arXiv 1912.09640](https://arxiv.org/abs/1912.09640), by the released code. The loss is the cross-entropy and λ
    times the scales |γ| of hidden channels, each by its multiply-accumulates (eq. 4 and 5, `ScaleCost`). What is dead
    after an epoch is taken out of weights, optimiser and average once it is worth it (§3.3, `CutChannels`), and in the
    end whatever its cost. There is nothing to search afterwards, and nothing to train again.

    `atomnas(**A)`, `B` and `C` are the published prices, for 350 epochs with an average of the weights of 0.9999 to the
    power of batch size / 4096. Any network will do that names its channels by a method `atoms()`.

    Args:
        weight: The weight λ, which rises to its value over the first 25 epochs. None: nothing is charged and nothing
            cut, the training from scratch of a network that was found, as the authors' of AtomNAS+.
        equal: Whether all channels are charged the same, the paper's baseline that does not know of resources.
        threshold: The largest |γ| of a dead channel.
        every: Epochs from one look at dead channels to the next.
        worth: The least multiply-accumulates of all of them, at which they are cut.
        empty: What becomes of a kernel of which no channel is alive, see `CutChannels`.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the network's weights are stepped.

    Raises:
        UsageError: a value outside its range, or one that says how to charge or cut where `weight` is None.
    """
    loss = CrossEntropy(label_smoothing)
    cost = ScaleCost(threshold=threshold, equal=equal)
    cut = CutChannels(threshold=threshold, worth=worth, empty=empty)
    often = Edit(name="cut", apply=cut, every=every, unit="epochs")
    if weight is None:
        if equal or cut != CutChannels(worth=1e6, empty="remove") or every != 1:
            raise UsageError(
                "weight is None, so that nothing is charged and nothing cut, but equal, threshold, every, worth or "
                "empty say how. Leave them out, or give a weight: 0.0 cuts without a charge."
            )
        return Recipe(name="atomnas", program=TrainPaths(sampler=Uniform(), objective=loss), weights=weights)
    phase = Phase(
        name="atomnas",
        share=1.0,
        program=TrainPaths(sampler=Uniform(), objective=Terms((Term("loss", loss), Term("cost", cost, weight)))),
        edits=(often,),
        leave=CutChannels(threshold=threshold, by="end", empty=empty),
    )
    return Recipe(name="atomnas", program=(phase,), weights=weights)
