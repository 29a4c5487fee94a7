"""Which entries of its widths a path runs on: both ends at once, or a window that goes round (BCNet, ViTAS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.output import Output
from supernet.nn.slices import SLICE
from supernet.train.move import Path
from supernet.train.step import Step

Kind: TypeAlias = Literal["bilateral", "cyclic"]


@dataclass(frozen=True, kw_only=True)
class Slices:
    """A path on other entries of its widths than the first, so that all channels are trained alike.

    `"bilateral"`: the same architecture runs on the first entries and on the last ones, and the logits are summed
    before one loss (BCNet, Su et al., [arXiv 2105.10533](https://arxiv.org/abs/2105.10533); ViTAS's released code).
    Over all widths every channel is then used equally often; a step costs two passes. `"cyclic"`: one pass, in which
    the active entries begin anywhere, drawn at each step, and go on at the first where the end is reached (ViTAS,
    [arXiv 2106.13700](https://arxiv.org/abs/2106.13700), §3.1; the place is drawn: a reconstruction).

    Args:
        kind: Which of the two.
        places: Number of places at which a cyclic slice may begin.

    Raises:
        UsageError: another kind, or fewer than two places; before the training, a network without elastic widths.
    """

    kind: Kind = "bilateral"
    places: int = 10

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise UsageError(f"The slices {self.kind!r} are not known; use one of {get_args(Kind)}.")
        if self.places < 2:
            raise UsageError(f"Cyclic slices were to begin at {self.places} places; give at least 2.")

    def check(self, net: Supernet) -> None:
        """Refuse a network in which no layer follows the setting `slice`."""
        if SLICE not in net.settings:
            raise UsageError(
                f"The {self.kind} slices need layers of elastic width, such as ElasticLinear; the network has none. "
                "Train it by prefixes."
            )

    def __call__(self, step: Step, path: Path, batch: Batch) -> Output:
        """Logits (B, K) of a path: the sum of both ends, or of one window."""
        if self.kind == "cyclic":
            with step.seeded("slice") as rng:
                place = int(rng.integers(self.places)) / self.places
            return step.forward(path.decisions, batch, settings={**path.settings, SLICE: place})
        first, last = (
            step.forward(path.decisions, batch, settings={**path.settings, SLICE: place}) for place in (0.0, -1.0)
        )
        aux = tuple(one + other for one, other in zip(first.aux, last.aux, strict=True))
        heads = {name: tensor + last.heads[name] for name, tensor in first.heads.items()}
        return Output(first.logits + last.logits, aux, heads)
