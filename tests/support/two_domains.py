"""Squares of two domains, which load at once: the target is darker, noisier, and its labels are hidden."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from small_nets import images
from supernet.data import Augment, ImageData, from_domains


@cache
def domains(*, poison: int | None = None, adapt: float = 0.5, augment: bool = False) -> ImageData:
    """Bright squares as the source, and dim ones in noise as the target; `poison`: every label of the target."""
    found: dict[str, tuple[Any, Any]] = {}
    for number, name in enumerate(("bright", "dim")):
        split: Any = images(seed=number).train
        pixels = split.images.numpy() * split.std[0] + split.mean[0]
        labels = split.labels.numpy()
        found[name] = (pixels, labels)
    pixels, labels = found["dim"]
    noise = np.random.default_rng(0).normal(0, 0.2, pixels.shape)
    found["dim"] = ((0.4 * pixels + 0.5 + noise).astype(np.float32), labels if poison is None else labels * 0 + poison)
    return from_domains(
        found,
        target="dim",
        adapt=adapt,
        validation=0.4,
        layout="NCHW",
        augment=Augment(crop_padding=1) if augment else Augment(),
    )
