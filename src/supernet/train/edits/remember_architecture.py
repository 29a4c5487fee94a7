"""The architecture that would be derived now, for passes that run it (EnTranNAS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.context import Context
from supernet.train.derivations._protocol import Derivation
from supernet.train.derivations.strongest import Strongest

DERIVED = "derived"
"""The key of `Step.memory` under which the architecture stands, by the position of the option of every choice."""


@dataclass(frozen=True)
class RememberArchitecture:
    """Derives an architecture from what is learned so far, and leaves it in the memory of the training.

    Args:
        derive: The rule by which it is derived.
    """

    derive: Derivation = field(default_factory=Strongest)

    def check(self, net: Supernet) -> None:
        """Raise a UsageError, before any training, if nothing could be derived from this supernet."""
        self.derive.check(net)

    def __call__(self, context: Context) -> None:
        """Derive it."""
        context.memory[DERIVED] = [int(code) for code in self.derive.derive(context).code]


def remembered(net: Supernet, memory: Mapping[str, Any]) -> Arch:
    """The architecture that was derived last.

    Raises:
        UsageError: none was.
    """
    if DERIVED not in memory:
        raise UsageError(
            "The architecture derived so far was to be run, but none was derived. Put Edit(name='derive', "
            "apply=RememberArchitecture()) before the moves of every step, as Bilevel(before=…) does."
        )
    (arch,) = net.space.wrap(np.asarray([memory[DERIVED]]))
    return arch
