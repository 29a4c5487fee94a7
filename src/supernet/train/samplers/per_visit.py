"""The paths of another sampler, held while a client trains (E-FedSup)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.federation.standing import standing
from supernet.train.ratings._protocol import only_architectures
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.by_client import ByClient
from supernet.train.samplers.draws import Draws, drawn_by
from supernet.train.step import Step

_KEY = "held paths"


@dataclass(frozen=True)
class PerVisit:
    """Architectures that another sampler draws once for every visit of the server to a client, in all steps of it.

    In a training without clients they are drawn once.

    Args:
        sampler: The sampler that draws them; the tiers of E-FedSup by default.
    """

    sampler: Sampler = field(default_factory=ByClient)

    @property
    def draws(self) -> Draws:
        return drawn_by(self.sampler)

    def check(self, net: Supernet) -> None:
        self.sampler.check(net)

    def paths(self, step: Step) -> Sequence[Arch]:
        now = standing(step)
        visit = -1 if now is None else int(now["visit"])
        held = step.memory.get(_KEY)
        if held is None or held["visit"] != visit:
            drawn = only_architectures(self.sampler.paths(step), of=self.sampler)
            step.memory[_KEY] = held = {"visit": visit, "codes": [[int(entry) for entry in a.code] for a in drawn]}
        return step.net.space.wrap(np.asarray(held["codes"], dtype=np.int16))
