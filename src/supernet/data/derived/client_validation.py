"""Some of the images of every client held out, for what it decides by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from supernet.data.data import Kind
from supernet.data.derived.clients import CLIENT, clients_of
from supernet.data.derived.endless import Endless
from supernet.data.derived.part import Part
from supernet.data.indexed import indexed
from supernet.data.position import SPLIT, generator
from supernet.data.split import Split
from supernet.errors import UsageError

VALIDATION_OF_CLIENT = "client_validation/"
"""What the names of the splits begin with that hold the validation images of one client."""

ALL_OF_CLIENT = "client_all/"
"""What the names of the splits begin with that hold the training and validation images of one client."""


@dataclass(frozen=True, kw_only=True)
class ClientValidation:
    """Data of clients some of whose images are held out, at random, as `client_validation/0` and so on.

    What is left of client 0 is `client/0`; `client_all/0` is both, as it was before.

    Args:
        share: The share of each client's images that is held out, rounded, one at least; one at least stays.
        seed: The seed that decides which.

    Raises:
        UsageError: a share that is none; where it is called, the data has no clients, images are held out already, a
            client has a single image, or its split does not know its images by number.

    >>> from functools import partial
    >>> from supernet.data import Chained, Clients, digits, iid
    >>> data = Chained((Clients(partial(iid, clients=2)), ClientValidation(share=0.2)))(digits())
    >>> {name: len(data.split(name)) for name in data.more if name.endswith("/0")}
    {'client/0': 460, 'client_validation/0': 115, 'client_all/0': 575}
    """

    share: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise UsageError(f"A share of {self.share} of each client's images was to be held out; give one in (0, 1).")
        generator(self.seed, SPLIT)

    def __call__(self, data: Kind) -> Kind:
        """The data with these splits."""
        if any(name.startswith(VALIDATION_OF_CLIENT) for name in data.more):
            raise UsageError(f"The clients of {data.name} have validation images already; hold them out once.")
        found: dict[str, Split] = dict(data.more)
        for number, name in enumerate(clients_of(data)):
            split = found[name]
            whole = indexed(split.split if isinstance(split, Endless) else split, "ClientValidation")
            if (count := len(whole)) < 2:
                raise UsageError(
                    f"{name} of {data.name} has a single image, which cannot be trained on and held out. Divide the "
                    "images among fewer clients, or with least=2."
                )
            order = generator(self.seed, SPLIT, number).permutation(count)
            held = min(max(1, round(self.share * count)), count - 1)
            tail = name.removeprefix(CLIENT)
            found[name] = Endless(Part(whole, np.sort(order[held:])))
            found[f"{VALIDATION_OF_CLIENT}{tail}"] = Part(whole, np.sort(order[:held]))
            found[f"{ALL_OF_CLIENT}{tail}"] = Endless(whole)
        return replace(data, name=f"{data.name}, {self.share:g} of each held out", more=found)

    def alone(self) -> None:
        """None: what an architecture that is trained alone is given is not divided among clients."""
