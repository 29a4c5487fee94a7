"""What a client does when its turn comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from supernet.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class LocalWork:
    """A client goes through its examples a number of times, from the server's weights on.

    Args:
        epochs: How often it goes through them. Its last batch of an epoch counts as a whole one, and is filled up from
            the epoch after it.
        optimiser: `"fresh"`: its optimiser begins anew every time (FedAvg); `"kept"`: it goes on with the momentum that
            the client had when it was last drawn, which takes `weights.states=PerClient()`.

    Raises:
        UsageError: less than one epoch, or an optimiser that is neither.

    >>> LocalWork(epochs=5).steps(500, 32)
    80
    """

    epochs: int = 5
    optimiser: Literal["fresh", "kept"] = "fresh"

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise UsageError(f"Clients were to train for {self.epochs} local epochs; give at least 1.")
        if self.optimiser not in ("fresh", "kept"):
            raise UsageError(f"The optimiser of a client is 'fresh' or 'kept'; got {self.optimiser!r}.")

    def steps(self, examples: int, batch_size: int) -> int:
        """The steps of a client with so many examples, of batches of this size."""
        return self.epochs * -(-examples // batch_size)
