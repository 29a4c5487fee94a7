"""A query stands to the keys of a queue as its key does (ReSSL)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from supernet.data.view_augment import MOCO_V2, WEAK, ViewAugment
from supernet.train.objectives.relations import Relations
from supernet.train.optimisers._protocol import check_number
from supernet.train.part import Part
from supernet.train.pretexts._protocol import QUEUE
from supernet.train.pretexts.moco import with_queue
from supernet.train.updates import Updates
from supernet.train.values._protocol import Number, check_value


@dataclass(frozen=True, kw_only=True)
class ReSSL:
    """The relations of a strongly augmented view to a queue of keys follow those of a weakly augmented one.

    ReSSL ([arXiv 2107.09282](https://arxiv.org/abs/2107.09282)): both temperatures and the weak view are the paper's.
    Queue, neck and decay are MoCo's, as in DATA's released code, whose temperature of the teacher is 0.07 where nothing
    is said and which has no setting of a training (reconstruction).

    Args:
        queue_size: The number of keys that relations are to; a multiple of the batch size.
        temperature: τ of the queries.
        teacher_temperature: τ of the keys, lower, so that their relations are sharper.
        decay: The share of the teacher that an average keeps in a step.
        hidden: The number of units between the two layers of the neck.
        width: The number of entries of queries and keys.
        views: How the query's view and the key's are made; None: by the augmentation of the data.

    Raises:
        UsageError: a value outside its range.
    """

    queue_size: int = 65_536
    temperature: float = 0.1
    teacher_temperature: float = 0.04
    decay: Number = 0.999
    hidden: int = 2048
    width: int = 128
    views: tuple[ViewAugment, ViewAugment] | None = (MOCO_V2, WEAK)

    symmetric: ClassVar[bool] = False
    predictor: ClassVar[str | None] = None
    queue: ClassVar[str | None] = QUEUE

    def __post_init__(self) -> None:
        check_value("The decay of the average", self.decay, at_least=0, at_most=1)
        check_number("The temperature", self.temperature, above=0)
        check_number("The temperature of the teacher", self.teacher_temperature, above=0)

    @property
    def objective(self) -> Relations:
        """The cross-entropy of both relations."""
        return Relations(temperature=self.temperature, teacher_temperature=self.teacher_temperature, queue=QUEUE)

    def parts(self, updates: Updates) -> Mapping[str, Part]:
        """Neck, teacher, its neck and the queue."""
        return with_queue(self.hidden, self.width, self.queue_size, updates)
