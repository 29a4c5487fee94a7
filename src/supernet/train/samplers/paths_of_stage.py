"""All paths of one stage, one after the other (DONNA's library of blocks)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.stage_modules import StageNames, as_names, stage_choices
from supernet.space import Arch, Space
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class PathsOfStage:
    """One path of a stage per step, in turn, in an order that is drawn anew for every round; the rest is the smallest.

    After any whole number of rounds every path of the stage has been trained equally often.

    Args:
        index: Number of the stage, from 0.
        stages: The stages of the network, see `nn.stage_modules.stage_names`; None: those that it says it has.
        most: Largest number of paths, each of which has to be trained.

    Raises:
        UsageError: before the training, a stage of more paths.
    """

    index: int
    stages: StageNames | None = None
    most: int = 10_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", as_names(self.stages))

    draws = "one"

    def check(self, net: Supernet) -> None:
        """Refuse a stage of too many paths."""
        count = self._paths(net, net.space).size
        if count > self.most:
            raise UsageError(
                f"Stage {self.index} has {count:,} paths, and each is trained; at most {self.most:,} are. Restrict the "
                "space, or train paths at random as DNA does."
            )

    def paths(self, step: Step) -> Sequence[Arch]:
        """The path whose turn it is."""
        paths = self._paths(step.net, step.space)
        turn, place = divmod(step.index, paths.size)
        order = np.random.default_rng([step.seed, self.index, turn]).permutation(paths.size)
        codes = paths.unindex([int(order[place])])
        return step.net.space.wrap(codes)

    def _paths(self, net: Supernet, space: Space) -> Space:
        """The part of the space in which only this stage varies."""
        mine = set(stage_choices(net, self.stages)[self.index])
        smallest, allowed = space.smallest(), {choice.name: space.allowed(choice.name) for choice in space.choices}
        kept = smallest.options()
        return space.restrict(
            {name: [kept.get(name, options[0])] for name, options in allowed.items() if name not in mine}
        )
