"""Measurements along a training: how good the smallest, the largest and a random subnet are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from itertools import islice

import numpy as np

from supernet.data import Data
from supernet.io.progress import within
from supernet.measure import Calibration, scores
from supernet.measure.scores.scores import run_scores
from supernet.train.health import AUGMENTED, DEFAULT_IMAGES
from supernet.train.step import Step

_BATCH = 512


@dataclass(frozen=True)
class SubnetScores:
    """The score of the smallest, the largest and one random subnet, each with calibrated batch norm.

    It is what the task compares subnets by, such as `accuracy/smallest`. That of the largest is measured once more on
    validation images that went through the augmentation of training, as `accuracy/largest, augmented`: a network that
    does better there does not get statistics that fit plain images (see `health.warnings_of`).

    Args:
        data: The data; only training (for calibration) and validation images are used.
        every: Number of steps between two measurements.
        images: Number of validation images to measure on, the first ones; None: all of them.
        calibration_images: Number of training images that batch norm statistics are computed from.
        seed: The seed that the random subnet is drawn with; it stays the same throughout.
    """

    data: Data
    _: KW_ONLY
    every: int
    images: int | None = DEFAULT_IMAGES
    calibration_images: int = 512
    seed: int = 0

    def __call__(self, step: Step) -> Mapping[str, float]:
        net, space, score = step.net, step.net.space, self.data.task.scores[0].name
        archs = {
            "smallest": space.smallest(),
            "random": space.sample(np.random.default_rng(self.seed)),
            "largest": space.largest(),
        }
        calibration = Calibration(images=self.calibration_images)
        found = {}
        with within("measure", len(archs) + 1, unit="subnets") as bar:
            for name, arch in archs.items():
                measured = scores(net, arch, self.data, calibration=calibration, images=self.images)
                found[f"{score}/{name}"] = measured.value
                bar.update(len(found))
        validation = self.data.validation
        images = min(len(validation), self.images or len(validation))
        batch_size = min(_BATCH, images)
        augmented = islice(validation.stream(batch_size, seed=self.seed), images // batch_size)
        as_trained = run_scores(net, archs["largest"], augmented, calibration, self.data)
        return found | {f"{score}/{AUGMENTED}": as_trained.value}
