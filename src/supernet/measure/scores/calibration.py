"""How BatchNorm statistics are recomputed for one subnet: a policy as a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from supernet.data import Data, Split
from supernet.errors import UsageError
from supernet.nn.batch import Fields

Mode: TypeAlias = Literal["pooled", "cumulative", "mean_of_batches", "ema"]
"""How the batches' statistics become one. `"pooled"`: mean and unbiased variance of all positions of all batches, as
if they were one. `"cumulative"`: plain averages of the batches' means and of their unbiased variances (torch's
`momentum=None`; AttentiveNAS). `"mean_of_batches"`: the same with biased variances (OFA). `"ema"`: exponential
averages, r ← (1 − momentum) · r + momentum · new (SPOS)."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How to recompute BatchNorm statistics.

    The network runs in evaluation mode except for its BatchNorms, which normalise by the batch, as they do in
    training. The images are the first ones of the split, never augmented, so every subnet sees the same; a last
    batch that is not full is left out.

    Args:
        mode: How the batches are joined, see `Mode`.
        images: Number of images, at most (a split may hold fewer).
        batch_size: Number of images per batch.
        momentum: Weight of a new batch; only for `"ema"`, where the default is 0.1.
        reset: Whether averages start from mean 0 and variance 1; only `"ema"` may start from what the network holds.
        split: The split that the images come from.

    Raises:
        UsageError: a size below 1, or an option that the mode has no use for.

    >>> Calibration.spos().momentum, Calibration().images
    (0.1, 2000)
    """

    mode: Mode = "pooled"
    images: int = 2000
    batch_size: int = 250
    momentum: float | None = None
    reset: bool = True
    split: Literal["train", "validation"] = "train"

    def __post_init__(self) -> None:
        for name, allowed in (("mode", get_args(Mode)), ("split", ("train", "validation"))):
            if getattr(self, name) not in allowed:
                given = getattr(self, name)
                raise UsageError(f"{name}={given!r} does not exist for a calibration; use one of {allowed}.")
        if self.images < 2 or self.batch_size < 2:
            raise UsageError(
                "BatchNorm cannot learn a variance from less than two examples; got "
                f"images={self.images}, batch_size={self.batch_size}."
            )
        if self.mode == "ema":
            momentum = 0.1 if self.momentum is None else self.momentum
            if not 0 < momentum <= 1:
                raise UsageError(f"momentum={momentum} is not the weight of a batch; give a number in (0, 1].")
            object.__setattr__(self, "momentum", momentum)
        elif self.momentum is not None or not self.reset:
            raise UsageError(
                f"The mode {self.mode!r} weighs all batches alike and forgets what was there before; "
                "momentum and reset=False belong to mode='ema'."
            )

    @classmethod
    def spos(cls) -> Calibration:
        """Exponential averages over 200 batches of 128, from zero mean and unit variance (SPOS's code)."""
        return cls(mode="ema", images=200 * 128, batch_size=128, momentum=0.1)

    @classmethod
    def ofa(cls) -> Calibration:
        """2,000 images in batches of 200; mean of the batches' biased variances (OFA's code)."""
        return cls(mode="mean_of_batches", images=2000, batch_size=200)

    @classmethod
    def attentive(cls, batch_size: int = 64) -> Calibration:
        """64 batches, plain averages (AttentiveNAS's code)."""
        return cls(mode="cumulative", images=64 * batch_size, batch_size=batch_size)

    def batches(self, data: Data | Split) -> Iterator[Fields]:
        """The inputs to run, batch by batch.

        Raises:
            UsageError: the split holds a single image.
        """
        split = getattr(data, self.split) if isinstance(data, Data) else data
        available = min(self.images, len(split))
        whole = max(available - available % self.batch_size, min(available, self.batch_size))
        if whole < 2:
            raise UsageError(f"The {self.split} split holds {len(split)} example; a calibration needs two or more.")
        for batch in split.batches(self.batch_size, limit=whole):
            yield batch.x


DEFAULT = Calibration()
"""What is used where nothing is said: statistics pooled over 2,000 training images."""
