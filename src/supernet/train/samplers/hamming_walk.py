"""A random walk from neighbour to neighbour (MAGIC-T)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch, Codes, Space
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step

_KEY = "walk"


@dataclass(frozen=True, kw_only=True)
class HammingWalk:
    """One architecture per step, which differs from that of the step before in exactly one choice (MAGIC-T, ICML 2022).

    The first is drawn as `Uniform` draws. Then a choice is drawn uniformly among the active ones with several options,
    and its option uniformly among the others: a random walk on the Hamming graph. A choice that gates others may switch
    some on and off with it: those switched on are drawn uniformly, those switched off are forgotten. So "exactly one
    choice" means that of the choices that both architectures have, exactly one differs.

    Over many steps an architecture a occurs in proportion to m(a) p(a), where p is the probability that `Uniform` draws
    it and m its number of active choices with several options: uniformly in spaces without gates. In those whose
    choices have two options each, it alternates between the two halves of even and odd distance from the first.

    The walk is kept in checkpoints. It belongs to the (sub-)space that it was begun in and begins anew in another; in a
    sub-space of one architecture it stays there.

    Args:
        restart: The number of architectures after which the walk begins anew with one drawn uniformly; None: never.
            It is an addition of this package.
    """

    restart: int | None = None

    def __post_init__(self) -> None:
        if self.restart is not None and self.restart < 1:
            raise UsageError(
                f"The walk was to begin anew after {self.restart} architectures; give at least 1, or None."
            )

    @property
    def draws(self) -> Draws:
        return "one"

    def check(self, net: Supernet) -> None:
        if not _can_move(net.space, net.space.codes([net.space.smallest()])):
            raise UsageError(
                f"A walk needs a choice that can change, but the only architecture of this space is "
                f"{net.space.smallest()}. Widen the space, or train it alone with Fixed(arch)."
            )

    def paths(self, step: Step) -> Sequence[Arch]:
        space = step.space
        within = [allowed.tolist() for allowed in space.allowed_codes]
        walk = step.memory.get(_KEY)
        if walk is None or walk["within"] != within or walk["length"] == self.restart:
            code, length = space.population(step.rng, 1), 1
        else:
            code, length = np.asarray([walk["code"]], dtype=np.int16), walk["length"] + 1
            if _can_move(space, code):
                code = space.change_one(code, step.rng)
        step.memory[_KEY] = {"within": within, "code": code[0].tolist(), "length": length}
        return space.wrap(code)


def _can_move(space: Space, code: Codes) -> bool:
    return bool((space.active_mask(code) & (space.counts > 1)).any())
