from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from supernet.data import Augment, MemorySplit
from supernet.data.memory import channel_statistics
from supernet.errors import UsageError

PIXELS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3000, 2, 4, 5), dtype=np.uint8))
SPLIT = MemorySplit(
    images=PIXELS,
    labels=torch.zeros(3000, dtype=torch.int64),
    mean=(0.3, 0.6),
    std=(0.1, 0.4),
    augment=Augment(),
)


def test_batches_are_normalised_per_channel() -> None:
    x = next(SPLIT.batches(10)).x.double()
    for c, (mean, std) in enumerate([(0.3, 0.1), (0.6, 0.4)]):
        assert torch.allclose(x[:, c], (PIXELS[:10, c].double() / 255 - mean) / std, atol=1e-5)


@given(st.integers(1, 60), st.integers(1, 20))
def test_no_image_is_left_alone(n: int, batch_size: int) -> None:
    split = replace(SPLIT, images=PIXELS[:n], labels=torch.arange(n))
    found = [batch.y for batch in split.batches(batch_size)]
    assert torch.cat(found).tolist() == list(range(n))
    sizes = [len(y) for y in found]
    assert all(size == batch_size for size in sizes[:-1])
    assert sizes[-1] <= batch_size + (batch_size > 1)
    assert 1 not in sizes or batch_size == 1 or n == 1


def test_float_images_keep_their_scale() -> None:
    split = replace(SPLIT, images=PIXELS.float() * 10)
    x = next(split.batches(10)).x
    assert torch.allclose(x[:, 1], (PIXELS[:10, 1].float() * 10 - 0.6) / 0.4, rtol=1e-5, atol=1e-3)
    assert torch.equal(split.images, PIXELS.float() * 10)  # reading a batch does not normalise in place


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_statistics_equal_those_of_numpy_over_several_chunks(scale: float) -> None:
    images = PIXELS if scale == 255 else PIXELS.float() + 1e3  # a large offset must not cost the digits
    mean, std = channel_statistics(images)
    wide = images.numpy().astype(np.float64) / scale
    assert mean == pytest.approx(wide.mean((0, 2, 3)), rel=1e-6)
    assert std == pytest.approx(wide.std((0, 2, 3)), rel=1e-5)


def test_a_constant_channel_is_not_divided_by_zero() -> None:
    images = PIXELS.clone()
    images[:, 1] = 255
    assert channel_statistics(images)[1][1] == 1.0


def test_the_fingerprint_sees_pixels_labels_and_settings() -> None:
    pixel, label = PIXELS.clone(), SPLIT.labels.clone()
    pixel[-1, -1, -1, -1] ^= 1
    label[7] = 1
    others = [
        replace(SPLIT, images=pixel),
        replace(SPLIT, labels=label),
        replace(SPLIT, mean=(0.3, 0.61)),
        replace(SPLIT, augment=Augment(flip=True)),
        SPLIT.head(2999),
    ]
    assert len({s.fingerprint() for s in [SPLIT, *others]}) == 6
    assert replace(SPLIT, images=PIXELS.clone()).fingerprint() == SPLIT.fingerprint()


def test_bad_tensors_are_refused() -> None:
    with pytest.raises(UsageError, match="uint8 or float32"):
        replace(SPLIT, images=PIXELS.double())
    with pytest.raises(UsageError, match=r"\(3000,\)"):
        replace(SPLIT, labels=SPLIT.labels[:5])
    with pytest.raises(UsageError, match="2 channels need 2 means"):
        replace(SPLIT, mean=(0.1,))
    with pytest.raises(UsageError, match="above 0"):
        replace(SPLIT, std=(0.1, 0.0))
    with pytest.raises(UsageError, match="use less than 4"):
        replace(SPLIT, augment=Augment(crop_padding=4))
