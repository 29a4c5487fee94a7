"""Pictures as other programs read them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from supernet.io.png import png


@pytest.mark.parametrize("shape", [(3, 5), (7, 2, 3)])
def test_another_program_reads_the_same_pixels(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(pixels)))), pixels)
