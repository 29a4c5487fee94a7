"""A prediction of the key, without other images (BYOL)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from supernet.data.view_augment import BYOL_FIRST, BYOL_SECOND, ViewAugment
from supernet.train.objectives.latent_prediction import LatentPrediction
from supernet.train.part import Part
from supernet.train.parts.copy_of_net import CopyOfNet
from supernet.train.parts.elastic_neck import ElasticNeckOfNet, PredictorOfKeys
from supernet.train.pretexts._protocol import NECK, PREDICTOR, TEACHER, TEACHER_NECK
from supernet.train.updates import Updates
from supernet.train.values._protocol import Number, check_value
from supernet.train.values.ramp import Ramp

DECAY = Ramp(0.996, 1.0, shape="cosine")


@dataclass(frozen=True, kw_only=True)
class BYOL:
    """A predictor behind the neck predicts the key of the other view; both views are queries.

    BYOL ([arXiv 2006.07733](https://arxiv.org/abs/2006.07733)), with the numbers of DATA's released code. The paper
    trains it by LARS, see `supernet.methods.elastic.data_ssl.BYOL_WEIGHTS`.

    Args:
        decay: The share of the teacher that an average keeps in a step; published a cosine from 0.996 to 1.
        hidden: The number of units between the two layers of neck and predictor.
        width: The number of entries of predictions and keys.
        views: How both views are made; None: by the augmentation of the data.

    Raises:
        UsageError: a value outside its range.
    """

    decay: Number = DECAY
    hidden: int = 4096
    width: int = 256
    views: tuple[ViewAugment, ViewAugment] | None = (BYOL_FIRST, BYOL_SECOND)

    symmetric: ClassVar[bool] = True
    predictor: ClassVar[str | None] = PREDICTOR
    queue: ClassVar[str | None] = None

    def __post_init__(self) -> None:
        check_value("The decay of the average", self.decay, at_least=0, at_most=1)

    @property
    def objective(self) -> LatentPrediction:
        """2 − 2 cos(prediction, key)."""
        return LatentPrediction()

    def parts(self, updates: Updates) -> Mapping[str, Part]:
        """Neck, predictor, teacher and its neck."""
        neck = ElasticNeckOfNet(hidden=self.hidden, width=self.width, normalise=True)
        still = ElasticNeckOfNet(hidden=self.hidden, width=self.width, normalise=True, learn=False)
        return {
            NECK: Part(build=neck, updates=updates),
            PREDICTOR: Part(build=PredictorOfKeys(hidden=self.hidden, width=self.width), updates=updates),
            TEACHER: Part(build=CopyOfNet()),
            TEACHER_NECK: Part(build=still),
        }
