"""Which channels of the wide network clients train in a round (FedRolex)."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class RollingWindow:
    """The window of active channels begins one place further in every round, and goes on at the first after the last.

    FedRolex ([arXiv 2212.01548](https://arxiv.org/abs/2212.01548), equation 1). There the window of a layer of K
    channels begins at channel j mod K in round j. Layers here begin at one share of their widths, so that those of all
    widths are through after the same number of rounds: a layer of `places` channels moves by one a round.

    Args:
        places: Number of rounds after which the window stands where it began; FedRolex has a layer's width.

    Raises:
        UsageError: no place.
    """

    places: int

    def __post_init__(self) -> None:
        if self.places < 1:
            raise UsageError(f"A window was to have {self.places} places; give at least 1.")

    def __call__(self, round_number: int) -> float:
        """The setting `slice` of a round, from 0 to below 1: the share of each width after which the window begins.

        >>> [RollingWindow(places=4)(number) for number in range(6)]
        [0.0, 0.25, 0.5, 0.75, 0.0, 0.25]
        """
        return round_number % self.places / self.places
