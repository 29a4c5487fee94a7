"""Paths that agree on one choice, such as the resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.space.text import listed
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.draws import Draws, drawn_by
from supernet.train.step import Step


@dataclass(frozen=True)
class Agreeing:
    """The paths of another sampler, all with one random option on a choice.

    So the subnets of a step see images of one resolution (OFA, [arXiv 1908.09791](https://arxiv.org/abs/1908.09791)).
    The option is uniform over those that are allowed.

    Args:
        sampler: The sampler that draws the architectures.
        on: The name of the choice. No other choice may depend on it: what it has switched off was not drawn.
    """

    sampler: Sampler
    on: str = "resolution"

    @property
    def draws(self) -> Draws:
        return "one" if drawn_by(self.sampler) == "one" else "joint"

    def check(self, net: Supernet) -> None:
        if self.on not in net.space.names:
            raise UsageError(
                f"The paths of a step were to agree on {self.on!r}, but the space has no such choice; it has "
                f"{listed(net.space.names, wanted=self.on)}. Name one of them, or leave Agreeing out."
            )
        for choice in net.space.choices:
            if choice.when is not None and self.on in {given.name for given in choice.when.choices()}:
                raise UsageError(
                    f"The paths of a step were to agree on {self.on!r}, but {choice.name!r} depends on it, and is not "
                    "drawn where it does not matter. Name a choice that no other one depends on, such as a resolution."
                )
        self.sampler.check(net)

    def paths(self, step: Step) -> Sequence[Arch]:
        return alike(self.sampler, step, step.space.column(self.on), type(self).__name__)


def alike(sampler: Sampler, step: Step, column: int, who: str) -> Sequence[Arch]:
    """The paths of a sampler, with one random option of the choice in a column.

    Raises:
        UsageError: the sampler draws mixtures.
    """
    space, paths = step.space, sampler.paths(step)
    archs = [path for path in paths if isinstance(path, Arch)]
    if len(archs) < len(paths):
        raise UsageError(
            f"{who} sets one choice of sampled architectures, but {type(sampler).__name__} samples mixtures. Leave it "
            "out."
        )
    codes = space.codes(archs)
    codes[:, column] = space.allowed_codes[column][step.rng.integers(space.counts[column])]
    return space.wrap(codes)
