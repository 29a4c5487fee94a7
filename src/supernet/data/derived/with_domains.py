"""Data whose training batches say which domain each image comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import tee
from typing import Any

import torch

from supernet.data.data import Kind
from supernet.data.domains import domains_of
from supernet.data.indexed import Indexed, OfOneSplit, indexed
from supernet.data.position import Position
from supernet.errors import UsageError
from supernet.nn.batch import Batch


@dataclass(frozen=True, eq=False)
class ToldDomains(OfOneSplit):
    """The images of a split as ``images``, and the numbers of their domains as ``domain``; a `Split`.

    Attributes:
        split: The split that the images come from, which knows the domains, see `domains_of`.

    Raises:
        UsageError: It does not, or does not know its images by number.
    """

    split: Indexed

    def __post_init__(self) -> None:
        domains_of(indexed(self.split, "ToldDomains"))

    def at(self, places: Iterable[Position], *, seed: int, augment: Any) -> Iterator[Batch]:
        """The images at given places; see :meth:`Indexed.at`."""
        _, numbers = domains_of(self.split)
        here, there = tee(places)
        for place, batch in zip(there, self.split.at(here, seed=seed, augment=augment), strict=True):
            yield Batch({"images": batch.images, "domain": torch.from_numpy(numbers[place.indices])}, batch.y)

    def head(self, n: int) -> ToldDomains:
        """The first ``n`` images."""
        return replace(self, split=self.split.head(n))

    def fingerprint(self) -> str:
        """Digest of the split, and that domains are told."""
        return hashlib.sha256(f"Domains told of {self.split.fingerprint()}".encode()).hexdigest()


@dataclass(frozen=True)
class WithDomains:
    """Data whose training batches hold ``images`` and the ``domain`` of each (B,), int64; other splits stay plain.

    Args:
        domains: The number of domains that there have to be; None: any.

    Raises:
        UsageError: fewer than one domain.

    >>> from supernet.data import digit_domains
    >>> batch = next(WithDomains(3)(digit_domains()).train.stream(6, seed=0))
    >>> tuple(batch.x["images"].shape), batch.x["domain"].tolist()
    ((6, 1, 8, 8), [0, 0, 0, 1, 0, 0])
    """

    domains: int | None = None

    def __post_init__(self) -> None:
        if self.domains is not None and self.domains < 1:
            raise UsageError(f"Images were to come from {self.domains} domains; give 1 or more.")

    def __call__(self, data: Kind) -> Kind:
        """The data with domains in its training batches.

        Raises:
            UsageError: the domains of the training images are not known, or are more or fewer.
        """
        names, _ = domains_of(data.train)
        if self.domains not in (None, len(names)):
            raise UsageError(
                f"The training images of {data.name} come from {len(names)} domains ({', '.join(names)}), and "
                f"{self.domains} were asked for. Give domains={len(names)}."
            )
        return replace(data, train=ToldDomains(indexed(data.train, "WithDomains")))

    def alone(self) -> None:
        """None: an architecture that is trained alone sees images."""
