"""Where a federation stands, as samplers and schedules see it."""

from __future__ import annotations

from typing import Any

from supernet.train.step import Step

FEDERATION = "federation"
"""The key of `Step.memory` under which `FederatedRounds` remembers where it stands."""


def standing(step: Step) -> dict[str, Any] | None:
    """Where the federation of this training stands; None: it has none.

    `"round"` of `"rounds"` counts from 0, `"client"` of `"of"` is who trains now, `"left"` are the steps that it has
    left, and `"visit"` the number of its visit in the whole training.
    """
    found: dict[str, Any] | None = step.memory.get(FEDERATION)
    return found
