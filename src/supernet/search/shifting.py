"""Supernet shifting (Zhang et al., CVPR 2024): the supernet is trained on the candidates of the search."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from supernet.errors import UsageError
from supernet.paper import Paper
from supernet.search.evaluator import Evaluator

if TYPE_CHECKING:
    from supernet.data import ImageData
    from supernet.nn import Supernet
    from supernet.search.shifting_run import ShiftingRun

Update: TypeAlias = Literal["generation", "candidate", "batch"]
"""When the weights change: once for all candidates of a generation, after each candidate, after each batch."""

OnGeneration: TypeAlias = "Callable[[Supernet, int], Mapping[str, float] | None]"
"""Called as `f(net, generation)`; scalars it returns go to the log."""

FOLDER = "shifted"


PAPER = Paper(
    name="Supernet Shifting",
    title="Boosting Order-Preserving and Transferability for Neural Architecture Search: "
    "a Joint Architecture Refined Search and Fine-tuning Approach",
    authors=("Zhang", "Wang", "Qin", "Yan"),
    venue="CVPR",
    year=2024,
    arxiv="2403.11380",
    provenance="reconstruction",
)


@dataclass(frozen=True, kw_only=True)
class Shifting:
    """Train the supernet while it is searched, on the architectures that the searcher proposes.

    A value for `wrap=` of any search of a supernet:
    `search.evolution(net, data, wrap=Shifting(lr=1e-4, images=640))`. Good architectures are proposed more often,
    so the weights shift towards them, and the order among the good ones improves.

    The defaults are the paper's algorithm 1: a candidate is validated, the gradient of its training loss on `images`
    training images is added up over the candidates of a generation, and then W ← W − lr·∇W, once. The initial
    population is only validated. Accuracies go stale as the weights move, so an architecture may be
    proposed again in a later generation; the latest accuracy counts, and the best `keep` distinct ones are remembered.

    The released code differs in every one of these points and is `Shifting.released()`: it trains on each candidate of
    each generation, the initial one too, by 20 steps of SGD with momentum and weight decay on batches of 150, and
    validates it afterwards; nothing is accumulated.

    The paper does not say how the 640 images are cut into batches, nor whether the loss is their mean; here batches
    of 64 and the mean are a reconstruction. BatchNorm follows the network's own policy while it trains on
    candidates. Training runs in the precision of the evaluator: that of the run, from the command line.

    The weights of the supernet change in place. With `out=` the shifted weights are kept there (`load_shifted`), along
    with the log `shifted/shifting.jsonl` and what is needed to resume, weights included.

    Args:
        lr: Learning rate. 0 shifts nothing.
        images: Training images per candidate, a multiple of the batch size.
        batch_size: Images per forward and backward pass.
        update: When the weights change, see `Update`. With `"batch"` a candidate is `images / batch_size` steps.
        evaluate: Whether a candidate is validated before or after the training on it.
        initial: Whether the initial generation is trained on too.
        momentum: Of SGD.
        weight_decay: Of weights; biases and norms have none.
        label_smoothing: Of the cross-entropy.
        keep: How many architectures are remembered. None: all, and none is evaluated twice, as in a plain search.
        checkpoint_every: Candidates between checkpoints, at the least; they are written between generations.
        on_generation: Called with the supernet and the number of generations done: 0 before the first update, then
            after each one. Not called again for generations that a resumed search replays.

    Raises:
        UsageError: a number outside its range, or `evaluate="after"` where nothing is trained before the generation
            ends.

    >>> Shifting().batches, Shifting.released().batches
    (10, 20)
    """

    lr: float = 1e-4
    images: int = 640
    batch_size: int = 64
    update: Update = "generation"
    evaluate: Literal["before", "after"] = "before"
    initial: bool = False
    momentum: float = 0.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    keep: int | None = 50
    checkpoint_every: int = 50
    on_generation: tuple[OnGeneration, ...] = ()

    def __post_init__(self) -> None:
        for name, allowed in (("update", get_args(Update)), ("evaluate", ("before", "after"))):
            if getattr(self, name) not in allowed:
                raise UsageError(f"{name}={getattr(self, name)!r} does not exist for shifting; use one of {allowed}.")
        for name in ("lr", "momentum", "weight_decay"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise UsageError(f"{name}={value} makes no sense for shifting; give a number of at least 0.")
        for name in ("images", "batch_size", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)} makes no sense for shifting; give at least 1.")
        if self.images % self.batch_size:
            raise UsageError(
                f"{self.images} images per candidate cannot be cut into batches of {self.batch_size}; give a multiple "
                "of the batch size."
            )
        if self.keep is not None and self.keep < 1:
            raise UsageError(f"keep={self.keep}: remember at least 1 architecture, or None for all.")
        if self.update == "generation" and self.evaluate == "after":
            raise UsageError(
                "With update='generation' the weights change when all candidates have been validated, so none can be "
                "validated after it was trained on. Use evaluate='before', or update='candidate' or 'batch'."
            )

    @classmethod
    def released(cls, *, on_generation: tuple[OnGeneration, ...] = ()) -> Shifting:
        """What the paper's released code does, see the class.

        Label smoothing is 0.1; that biases and norms have no weight decay is SPOS's code, on which it is built. It
        validates without calibrating BatchNorm, with statistics that the training on candidates moves: for that too,
        search a `NetEvaluator(net, data, calibration=None)` of a network that tracks them.
        """
        return cls(
            lr=1e-4,
            images=3000,
            batch_size=150,
            update="batch",
            evaluate="after",
            initial=True,
            momentum=0.9,
            weight_decay=4e-5,
            label_smoothing=0.1,
            on_generation=on_generation,
        )

    @property
    def batches(self) -> int:
        """Batches per candidate."""
        return self.images // self.batch_size

    def check_images(self, data: ImageData) -> None:
        """Check that there are images enough for a batch.

        Raises:
            UsageError: there are not.
        """
        if self.batch_size > len(data.train):
            raise UsageError(
                f"Shifting was to train on batches of {self.batch_size} images, but {data.name} has only "
                f"{len(data.train)} training images. Lower batch_size, and images to a multiple of it."
            )

    def describe(self) -> dict[str, Any]:
        """The settings that decide the result, as JSON."""
        left_out = ("checkpoint_every", "on_generation")
        return {"piece": "Shifting"} | {f.name: getattr(self, f.name) for f in fields(self) if f.name not in left_out}

    def begin(self, evaluator: Evaluator, *, seed: int, out: Path | None, recorded: int) -> ShiftingRun:
        """Start beside a search, see `Wrap`.

        Raises:
            UsageError: the evaluator has no supernet and training images, there are too few of these, or `out` holds
                a search that was begun otherwise.
        """
        from supernet.search.shifting_run import ShiftingRun

        return ShiftingRun(self, evaluator, seed=seed, out=out, recorded=recorded)


def load_shifted(net: Supernet, out: Path | str) -> None:
    """Load the weights that a shifted search left in its folder.

    Raises:
        UsageError: there are none, or they are those of another network.
        RunError: the file is damaged.
    """
    from supernet.train import load_weights

    folder = Path(out) / FOLDER
    if not (folder / "checkpoints").is_dir():
        raise UsageError(
            f"{out} holds no shifted weights: they are written when a search with wrap=Shifting(…) and out=… ends. "
            "Finish it (resume=True), or use the weights of the training (load_weights)."
        )
    load_weights(net, folder)
