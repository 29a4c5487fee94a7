"""A state of the optimiser for every client of a federation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.train.federation.standing import standing
from supernet.train.move import Path
from supernet.train.step import Step


@dataclass(frozen=True)
class PerClient:
    """One optimiser state per client: each goes on with the momentum that it had when it was last drawn.

    For `LocalWork(optimiser="kept")`; memory grows by one state per further client.
    """

    def group(self, step: Step, paths: Sequence[Path]) -> int:
        """The number of the client whose turn it is.

        Raises:
            UsageError: in a training without clients.
        """
        now = standing(step)
        if now is None:
            raise UsageError(
                "The optimiser was to have a state per client, but this training has no clients. Leave states out, or "
                "train by FederatedRounds."
            )
        return int(now["client"])
