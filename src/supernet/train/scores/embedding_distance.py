"""How far the embeddings of a subnet are from those of the largest architecture of its teacher (DATA)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.data import Data
from supernet.errors import UsageError
from supernet.measure.scores.calibration import DEFAULT, Calibration
from supernet.measure.scores.recalibration import activated, calibrated
from supernet.measure.scores.score import Subnet
from supernet.measure.untouched import placed_like, untouched
from supernet.nn import Supernet
from supernet.nn.headless import headless
from supernet.nn.modes import all_but_normalisation, evaluating
from supernet.nn.taps import tapped
from supernet.space import Arch
from supernet.train.optimisers._protocol import check_number

Distance = Literal["mse", "cosine", "relation"]


@dataclass(frozen=True, kw_only=True)
class EmbeddingDistance:
    """The mean distance of what a subnet and the teacher's largest architecture say of unlabelled images; 0 if alike.

    DATA ([arXiv 2203.09041](https://arxiv.org/abs/2203.09041)): of subnets in a range of costs the closest one is taken
    for the task whose images these are. Embeddings q of the subnet and k of the teacher are what the necks make of the
    features, scaled to length one. For dense tasks (`maps`) they are the self-correlations of the last feature maps
    instead: for each pixel, its cosines with all pixels of the image. All images are seen as they are.

    The distance is |q − k|² (`"mse"`), 1 − cos(q, k) (`"cosine"`), or KL( softmax(k·n / τ), softmax(q·n / τ) )
    (`"relation"`, of maps of the self-correlations themselves), where n goes through the embeddings of this and earlier
    batches. The released code has the cosine and the cross-entropy themselves; they order subnets in the same way.

    Args:
        distance: The distance.
        maps: The module whose feature maps (B, C, H, W) are correlated, such as `"stages"`; None: the necks' vectors.
        relations: Whose embeddings n are: the `"teacher"`'s, or the queries' `"own"`; of `"relation"` alone.
        temperature: τ, of `"relation"` alone.
        images: The number of training images, the first ones; None: all.
        batch_size: The number of images in a batch.
        calibration: How batch norm of subnet and teacher gets its statistics, by default as in a network that is taken
            out; None: they are those of each batch, as in the released code, which compares in the mode of training. A
            norm inside a neck always uses those of the batch.
        teacher: The part of the recipe that is the teacher, a `CopyOfNet`; None: the network itself.
        neck: The part that projects the features of the network.
        teacher_neck: The part that projects those of the teacher.

    Raises:
        UsageError: a value outside its range; while it runs, a missing part, or no images.
    """

    distance: Distance = "mse"
    maps: str | None = None
    relations: Literal["teacher", "own"] = "teacher"
    temperature: float = 0.2
    images: int | None = None
    batch_size: int = 128
    calibration: Calibration | None = DEFAULT
    teacher: str | None = "teacher"
    neck: str = "neck"
    teacher_neck: str = "teacher_neck"

    name: ClassVar[str] = "embedding_distance"
    goal: ClassVar[Literal["max", "min"]] = "min"
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.distance not in get_args(Distance):
            raise UsageError(f"Embeddings are compared by one of {get_args(Distance)}; got {self.distance!r}.")
        if self.relations not in ("teacher", "own"):
            raise UsageError(f"Relations are to embeddings of the 'teacher' or 'own' ones; got {self.relations!r}.")
        if self.relations == "own" and (self.distance != "relation" or self.maps is not None):
            raise UsageError("relations='own' is of distance='relation' between vectors alone; leave it out.")
        check_number("The temperature of the relations", self.temperature, above=0)
        check_number("The batch size of the distance", self.batch_size, at_least=2)
        if self.images is not None:
            check_number("The number of images of the distance", self.images, at_least=2)

    def __call__(self, subnet: Subnet) -> float:
        """The mean over the images."""
        key = (self, id(subnet.net))
        if key not in subnet.kept:
            teacher = subnet.net if self.teacher is None else self._part(subnet, self.teacher)
            if not isinstance(teacher, Supernet):
                raise UsageError(f"The teacher is a {type(teacher).__name__}; make the part with CopyOfNet().")
            neck = self.neck if self.teacher is None else self.teacher_neck
            subnet.kept[key] = list(self._embeddings(subnet, teacher, teacher.space.largest(), neck))
        keys: Sequence[Tensor] = subnet.kept[key]
        total, count, queries = 0.0, 0, list[Tensor]()
        for number, query in enumerate(self._embeddings(subnet, subnet.net, subnet.arch, self.neck)):
            queries.append(query)
            seen = keys[: number + 1]
            total += float(self._apart(query, keys[number], queries if self.relations == "own" else seen, seen).sum())
            count += len(query)
        return total / count

    def _apart(self, q: Tensor, k: Tensor, mine: Sequence[Tensor], theirs: Sequence[Tensor]) -> Tensor:
        """The distances (B,) of embeddings (B, D)."""
        q, k = q.double(), k.double()
        if self.distance == "mse":
            return (q - k).square().sum(1)
        if self.distance == "cosine":
            return 1 - F.cosine_similarity(q, k, dim=1)
        if self.maps is None:
            q, k = q @ torch.cat(list(mine)).double().T, k @ torch.cat(list(theirs)).double().T
        found, wanted = ((x / self.temperature).log_softmax(1) for x in (q, k))
        return (wanted.exp() * (wanted - found)).sum(1)

    @torch.no_grad()
    def _embeddings(self, subnet: Subnet, net: Supernet, arch: Arch, neck: str) -> Iterator[Tensor]:
        """What an architecture says of the images, batch by batch."""
        if subnet.data is None:
            raise UsageError("Embeddings are compared on images, but there are none. Score with the data of a task.")
        project = self._part(subnet, neck) if self.maps is None else None
        taps: tuple[str, ...] = () if self.maps is None else (self.maps,)
        limit = None if self.images is None else min(self.images, len(subnet.data.train))
        with self._normalised(net, arch, subnet.data), headless(net):
            for batch in subnet.data.train.batches(self.batch_size, limit=limit):
                with tapped(net.module, taps) as found:
                    features: Tensor = net(placed_like(net, batch.x))
                yield self._correlations(found[taps[0]]) if project is None else _projected(project, features)

    @contextmanager
    def _normalised(self, net: Supernet, arch: Arch, data: Data) -> Iterator[None]:
        """The architecture is active, and its batch norm has its statistics; nothing drops."""
        if self.calibration is not None:
            with calibrated(net, arch, data.train, self.calibration):
                yield
            return
        with untouched(net), activated(net, arch):
            net.train()
            with evaluating(all_but_normalisation(net)):
                yield

    def _correlations(self, x: Tensor) -> Tensor:
        """Maps (B, C, H, W) -> the cosines (B · H · W, H · W) of each pixel with those of its image."""
        if x.ndim != 4:
            raise UsageError(f"{self.maps} returns {tuple(x.shape)}, and no feature maps (B, C, H, W). Name another.")
        unit = F.normalize(x.flatten(2), dim=1)
        return (unit.transpose(1, 2) @ unit).flatten(0, 1)

    def _part(self, subnet: Subnet, name: str) -> nn.Module:
        if name not in subnet.parts:
            known = ", ".join(map(repr, subnet.parts)) or "none"
            raise UsageError(
                f"Embeddings are made by the part {name!r}, which is missing; the parts are: {known}. Train with a "
                "method that has it, such as data_ssl."
            )
        return subnet.parts[name]


def _projected(neck: nn.Module, features: Tensor) -> Tensor:
    """Directions (B, D), with the statistics of the batch."""
    with untouched(neck):
        neck.train()
        return F.normalize(neck(features), dim=1)
