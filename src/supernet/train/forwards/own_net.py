"""A path through the net that a client has of its own."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn.output import Output
from supernet.train.federation.standing import standing
from supernet.train.move import Path
from supernet.train.step import Step


@dataclass(frozen=True)
class OwnNet:
    """The images -> the own net of the client whose turn it is, in place of the supernet.

    Args:
        part: The part of the recipe that holds the nets, see `CopyPerClient`.
    """

    part: str = "personal"

    def __call__(self, step: Step, path: Path, batch: Batch) -> Output:
        """What the client's net returns."""
        return step.forward(path.decisions, batch, part=own_net(step, self.part), settings=path.settings)


def own_net(step: Step, part: str) -> str:
    """The name of the net of the client whose turn it is, see `Step.part`.

    Raises:
        UsageError: in a training without clients.
    """
    now = standing(step)
    if now is None:
        raise UsageError(
            f"A client's own net was to be taken from {part!r}, but this training has no clients. Train by "
            "FederatedRounds."
        )
    return f"{part}.{now['client']}"
