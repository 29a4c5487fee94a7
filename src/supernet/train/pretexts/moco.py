"""A query is told from a queue of keys (MoCo v2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from supernet.data.view_augment import MOCO_V2, ViewAugment
from supernet.train.objectives.info_nce import InfoNCE
from supernet.train.optimisers._protocol import check_number
from supernet.train.part import Part
from supernet.train.parts.copy_of_net import CopyOfNet
from supernet.train.parts.elastic_neck import ElasticNeckOfNet
from supernet.train.parts.key_queue import QueueOfKeys
from supernet.train.pretexts._protocol import NECK, QUEUE, TEACHER, TEACHER_NECK
from supernet.train.updates import Updates
from supernet.train.values._protocol import Number, check_value


@dataclass(frozen=True, kw_only=True)
class MoCo:
    """InfoNCE of the key of another view, against a queue of keys of other images.

    MoCo v2 ([arXiv 2003.04297](https://arxiv.org/abs/2003.04297)), with the numbers of DATA's released code.

    Args:
        queue_size: The number of keys that a query is told from; a multiple of the batch size.
        temperature: τ.
        decay: The share of the teacher that an average keeps in a step.
        hidden: The number of units between the two layers of the neck.
        width: The number of entries of queries and keys.
        views: How the query's view and the key's are made; None: by the augmentation of the data.

    Raises:
        UsageError: a value outside its range.
    """

    queue_size: int = 65_536
    temperature: float = 0.2
    decay: Number = 0.999
    hidden: int = 2048
    width: int = 128
    views: tuple[ViewAugment, ViewAugment] | None = (MOCO_V2, MOCO_V2)

    symmetric: ClassVar[bool] = False
    predictor: ClassVar[str | None] = None
    queue: ClassVar[str | None] = QUEUE

    def __post_init__(self) -> None:
        check_value("The decay of the average", self.decay, at_least=0, at_most=1)
        check_number("The temperature", self.temperature, above=0)

    @property
    def objective(self) -> InfoNCE:
        """InfoNCE."""
        return InfoNCE(temperature=self.temperature, queue=QUEUE)

    def parts(self, updates: Updates) -> Mapping[str, Part]:
        """Neck, teacher, its neck and the queue."""
        return with_queue(self.hidden, self.width, self.queue_size, updates)


def with_queue(hidden: int, width: int, size: int, updates: Updates) -> Mapping[str, Part]:
    """Neck, teacher, its neck, and a queue of keys.

    Args:
        hidden: The number of units between the two layers of the neck.
        width: The number of entries of queries and keys.
        size: The number of keys.
        updates: How the neck is stepped.
    """
    return {
        NECK: Part(build=ElasticNeckOfNet(hidden=hidden, width=width), updates=updates),
        TEACHER: Part(build=CopyOfNet()),
        TEACHER_NECK: Part(build=ElasticNeckOfNet(hidden=hidden, width=width, learn=False)),
        QUEUE: Part(build=QueueOfKeys(size=size, width=width)),
    }
