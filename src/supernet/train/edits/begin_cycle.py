"""The beginning of a cycle of CDARTS: another architecture is evaluated from here on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from supernet.nn import Supernet
from supernet.nn.stages import stages
from supernet.space import Arch
from supernet.train.context import Context
from supernet.train.derivations._protocol import Derivation
from supernet.train.derivations.strongest import Strongest

EVALUATED = "evaluated"
"""The key of `Step.memory` under which the architecture stands, by the position of the option of every choice."""


@dataclass(frozen=True)
class BeginCycle:
    """Derives an architecture, and builds the network anew that evaluates it.

    The network gets the weights back that it had, those of other architectures too, and the supernet's stem; the
    statistics of its BatchNorms and the state of its optimiser are new.

    Args:
        derive: The rule by which the architecture is derived.
        part: The part of the recipe that evaluates it.
        copy: Whether the weights are kept; else all are drawn afresh, but for the stem.
    """

    derive: Derivation = field(default_factory=Strongest)
    part: str = "evaluation"
    copy: bool = True

    def __call__(self, context: Context) -> None:
        """Begin a cycle."""
        arch = self.derive.derive(context)
        context.memory[EVALUATED] = [int(code) for code in arch.code]
        before = dict(context.step.part(self.part, Supernet).named_parameters()) if self.copy else {}
        assert context.rebuild is not None
        context.rebuild(self.part)
        stem = stages(context.net).before
        given = before | {name: value for name, value in context.net.named_parameters() if name in stem}
        with torch.no_grad():
            for name, parameter in context.step.part(self.part, Supernet).named_parameters():
                if name in given and given[name].shape == parameter.shape:
                    parameter.copy_(given[name])


def evaluated(net: Supernet, memory: Mapping[str, Any]) -> Arch:
    """The architecture that is evaluated in the present cycle."""
    (arch,) = net.space.wrap(np.asarray([memory[EVALUATED]]))
    return arch
