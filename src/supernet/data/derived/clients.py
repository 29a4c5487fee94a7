"""The training images divided among the clients of a federation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from supernet.data.data import Data, Kind
from supernet.data.derived.endless import Endless
from supernet.data.derived.part import Part
from supernet.data.indexed import Indexed, indexed, labels_of
from supernet.data.position import CLIENTS, Indices, generator
from supernet.errors import UsageError

CLIENT = "client/"
"""What the names of the clients' splits begin with."""

_DRAWS = 1000


def iid(split: Indexed, *, clients: int, seed: int = 0, least: int = 1) -> tuple[Part, ...]:
    """Divide images among clients at random: each sees what all see (McMahan et al. 2017, arXiv 1602.05629, section 3).

    The numbers of images differ by one at most, and every image goes to exactly one client.

    Args:
        split: The images to divide.
        clients: Number of clients.
        seed: The seed that decides who gets which image.
        least: Least number of images of a client.

    Raises:
        UsageError: A number is below 1, a client would get fewer than `least` images, or the split does not know its
            images by number.

    >>> from supernet.data import digits
    >>> [len(part) for part in iid(digits().train, clients=4)]
    [288, 288, 287, 287]
    """
    count = len(indexed(split, "iid"))
    _check(clients=clients, least=least)
    if clients * least > count:
        raise UsageError(
            f"{clients} clients with {least} images each need {clients * least} images or more; there are {count}."
        )
    return _parts(split, np.array_split(generator(seed, CLIENTS).permutation(count), clients))


def listed(split: Indexed, *, lists: Sequence[Sequence[int]], least: int = 1) -> tuple[Part, ...]:
    """Give each client the images of a list of its own.

    Args:
        split: The images to divide.
        lists: Per client the numbers of its images in the split, from 0; none in two lists. Images in no list belong to
            no client.
        least: Least number of images of a client.

    Raises:
        UsageError: There is no list, one has fewer than `least` images, a number is not of the split, or an image
            stands in two lists; or the split does not know its images by number.

    >>> from supernet.data import digits
    >>> [len(part) for part in listed(digits().train, lists=[[0, 1, 2], [5, 7]])]
    [3, 2]
    """
    indexed(split, "listed")
    _check(clients=len(lists), least=least)
    for client, numbers in enumerate(lists):
        if len(numbers) < least:
            raise UsageError(
                f"Client {client} is given {len(numbers)} images and {least} are needed. Leave the client out, or give "
                "it more."
            )
    owner: dict[int, int] = {}
    for client, numbers in enumerate(lists):
        for number in numbers:
            if owner.setdefault(int(number), client) != client:
                raise UsageError(
                    f"Image {number} is given to the clients {owner[int(number)]} and {client}; it belongs to one."
                )
    return tuple(Part(split, np.sort(np.asarray(numbers, dtype=np.int64))) for numbers in lists)


def shards(split: Indexed, *, clients: int, per_client: int, seed: int = 0, least: int = 1) -> tuple[Part, ...]:
    """Divide images among clients that see few classes each (McMahan et al. 2017, arXiv 1602.05629, section 3).

    Images are sorted by label and cut into ``clients * per_client`` shards, whose sizes differ by one image at most;
    every client gets ``per_client`` of them at random. Where classes are equally large and their number divides that
    of the shards, no shard has two classes. Every image goes to exactly one client.

    Args:
        split: The images to divide.
        clients: Number of clients.
        per_client: Number of shards per client.
        seed: The seed that decides the order within a class and who gets which shard.
        least: Least number of images of a client.

    Raises:
        UsageError: A number is below 1, there are more shards than images, a client would get fewer than `least`
            images, or the split does not know its images by number.

    >>> from supernet.data import digits
    >>> [len(part) for part in shards(digits().train, clients=4, per_client=2)]
    [287, 287, 288, 288]
    """
    labels = labels_of(indexed(split, "shards"))
    _check(clients=clients, per_client=per_client, least=least)
    if (number := clients * per_client) > len(labels):
        raise UsageError(
            f"{clients} clients with {per_client} shards each need {number} images or more; there are {len(labels)}."
        )
    rng = generator(seed, CLIENTS)
    shuffled = rng.permutation(len(labels))
    pieces = np.array_split(shuffled[labels[shuffled].argsort(kind="stable")], number)
    given = rng.permutation(number).reshape(clients, per_client)
    fewest = min(sum(len(pieces[i]) for i in row) for row in given)
    if fewest < least:
        raise UsageError(
            f"{len(labels)} images in {number} shards leave a client with {fewest} and {least} are needed. Take fewer "
            "clients or a smaller least."
        )
    return _parts(split, [np.concatenate([pieces[i] for i in row]) for row in given])


def dirichlet(split: Indexed, *, clients: int, beta: float, seed: int = 0, least: int = 1) -> tuple[Part, ...]:
    """Divide the images of each class among clients in shares q ~ Dir(β) (Yurochkin et al. 2019, arXiv 1905.12022).

    The smaller β, the fewer classes a client sees. Every image goes to exactly one client.

    Args:
        split: The images to divide.
        clients: Number of clients.
        beta: β, the concentration of the symmetric Dirichlet distribution.
        seed: The seed that decides the shares and who gets which image.
        least: Least number of images of a client; shares are drawn again until all have them.

    Raises:
        UsageError: A number is out of range, no client count of `least` images comes up in 1,000 draws, or the split
            does not know its images by number.

    >>> from supernet.data import digits
    >>> sum(len(part) for part in dirichlet(digits().train, clients=4, beta=0.5))
    1150
    """
    labels = labels_of(indexed(split, "dirichlet"))
    _check(clients=clients, least=least)
    if not 0 < beta < np.inf:
        raise UsageError(f"beta={beta} is no concentration of a Dirichlet distribution; give a number above 0.")
    rng = generator(seed, CLIENTS)
    classes = [np.flatnonzero(labels == c) for c in np.unique(labels)]
    for _ in range(_DRAWS if clients * least <= len(labels) else 0):
        given: list[list[Indices]] = [[] for _ in range(clients)]
        for members in classes:
            ends = np.rint(rng.dirichlet(np.full(clients, beta)).cumsum()[:-1] * len(members)).astype(int)
            for client, piece in enumerate(np.split(rng.permutation(members), ends)):
                given[client].append(piece)
        chosen = [np.concatenate(pieces) for pieces in given]
        if min(map(len, chosen)) >= least:
            return _parts(split, chosen)
    raise UsageError(
        f"{len(labels)} images in shares of beta={beta} leave some of {clients} clients with fewer than {least}, "
        f"however often they are drawn ({_DRAWS:,} times). Take fewer clients, a larger beta or a smaller least."
    )


@dataclass(frozen=True)
class Clients:
    """Data whose training images are also divided among clients, as the splits ``client/0``, ``client/1`` and so on.

    Their streams are :class:`Endless`, since a client may have fewer images than a batch. All other splits stay as
    they are.

    Args:
        divide: What divides a split, such as ``functools.partial(shards, clients=100, per_client=2)`` or one of the
            partitions of `supernet.train`, ``ShardClients(clients=100, shards=2)``.

    >>> from functools import partial
    >>> from supernet.data import digits
    >>> data = Clients(partial(dirichlet, clients=3, beta=0.5))(digits())
    >>> [name for name in data.more], len(data.split("train"))
    (['client/0', 'client/1', 'client/2'], 1150)
    """

    divide: Callable[[Indexed], Sequence[Part]]

    def __call__(self, data: Kind) -> Kind:
        """The data with these clients.

        Raises:
            UsageError: there are clients already, or as in what divides.
        """
        if any(name.startswith(CLIENT) for name in data.more):
            raise UsageError(f"{data.name} is divided among clients already; divide it once.")
        parts = self.divide(indexed(data.train, "Clients"))
        named = {f"{CLIENT}{number}": Endless(part) for number, part in enumerate(parts)}
        return replace(data, name=f"{data.name}, {len(parts)} clients", more={**data.more, **named})

    def alone(self) -> None:
        """What an architecture that is trained alone is given: all training images, in one place."""


def clients_of(data: Data) -> tuple[str, ...]:
    """The names of the splits of the clients, in their order.

    Raises:
        UsageError: The data has no clients.
    """
    found = sorted((name for name in data.more if name.startswith(CLIENT)), key=_number)
    if not found:
        raise UsageError(
            f"{data.name} has no clients. Divide its training images, as Clients(IIDClients(clients=10))(data) does, "
            'or give it further splits "client/0", "client/1" and so on.'
        )
    return tuple(found)


def classes_per_client(data: Data) -> Indices:
    """How many training images of each class each client has ``(clients, classes)``.

    Args:
        data: Data with clients and classes.

    Raises:
        UsageError: The data has no clients or no classes, or the split of a client does not know its labels.

    >>> from functools import partial
    >>> from supernet.data import digits
    >>> classes_per_client(Clients(partial(listed, lists=[[0, 1, 2], [3, 4]]))(digits())).sum(axis=1).tolist()
    [3, 2]
    """
    if not data.num_classes:
        raise UsageError(f"{data.name} has no classes that could be counted; its task is {type(data.task).__name__}.")
    rows = []
    for name in clients_of(data):
        split = data.split(name)
        inner = split.split if isinstance(split, Endless) else split
        rows.append(np.bincount(labels_of(indexed(inner, "A table of classes")), minlength=data.num_classes))
    return np.stack(rows).astype(np.int64)


def _number(name: str) -> tuple[int, str]:
    tail = name.removeprefix(CLIENT)
    return (int(tail), "") if tail.isdecimal() else (2**62, tail)


def _check(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise UsageError(f"{name}={value} is not a number to divide by; give 1 or more.")


def _parts(split: Indexed, chosen: Sequence[Indices]) -> tuple[Part, ...]:
    """In the order of the split, whose every prefix has a fair share of the classes."""
    return tuple(Part(split, np.sort(indices)) for indices in chosen)
