from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from supernet.data import FolderAugment, FolderSplit
from supernet.errors import RunError, UsageError


def split_of(files: list[Path], *, size: int = 16, num_workers: int = 0) -> FolderSplit:
    return FolderSplit(
        files=tuple(str(f) for f in files),
        labels=tuple(i % 2 for i in range(len(files))),
        size=size,
        mean=(0.5, 0.25, 0.0),
        std=(0.5, 0.25, 1.0),
        augment=FolderAugment(),
        num_workers=num_workers,
    )


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    made = []
    for i in range(8):
        made.append(tmp_path / f"{i}.png")
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(made[-1])
    return made


def test_evaluation_shows_the_centre(tmp_path: Path) -> None:
    """A white square of half the side, on black, fills the same share of the resized and cropped image."""
    canvas = np.zeros((64, 128, 3), dtype=np.uint8)
    canvas[16:48, 48:80] = 255
    Image.fromarray(canvas).save(tmp_path / "wide.png")
    batch = next(split_of([tmp_path / "wide.png"], size=56).batches(1))
    assert batch.x.shape == (1, 3, 56, 56)
    shown = batch.x[0] * torch.tensor([0.5, 0.25, 1.0]).view(3, 1, 1) + torch.tensor([0.5, 0.25, 0.0]).view(3, 1, 1)
    assert shown.mean().item() == pytest.approx(32 * 32 / 56**2, abs=0.01)  # 64 -> 64, then 56 of 64 are cut out
    assert shown[:, 28, 28].tolist() == pytest.approx([1, 1, 1])
    assert shown[:, 3, 3].tolist() == pytest.approx([0, 0, 0], abs=1e-6)


def test_grey_palette_and_transparent_images_become_rgb(tmp_path: Path) -> None:
    grey = Image.fromarray(np.full((20, 20), 128, dtype=np.uint8))
    made = []
    for mode in ("L", "P", "RGBA", "1", "LA"):
        made.append(tmp_path / f"{mode}.png")
        grey.convert(mode).save(made[-1])
    assert next(split_of(made).batches(5)).x.shape == (5, 3, 16, 16)


def shown(path: Path) -> list[float]:
    """Mean of each channel of an image as a split shows it, 0..1."""
    split = replace(split_of([path]), mean=(0.0,) * 3, std=(1.0,) * 3)
    return [round(value, 3) for value in next(split.batches(1)).x[0].mean((1, 2)).tolist()]


@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm"])
def test_sixteen_bits_are_scaled_by_their_range(tmp_path: Path, suffix: str) -> None:
    for level in (2_000, 50_000):
        path = tmp_path / f"{level}.{suffix}"
        Image.fromarray(np.full((20, 20), level, dtype=np.uint16)).save(path)
        assert shown(path) == pytest.approx([level / 65535] * 3, abs=0.003)


def test_floats_are_read_from_0_to_1_and_refused_beyond(tmp_path: Path) -> None:
    path = tmp_path / "x.tiff"
    Image.fromarray(np.full((20, 20), 0.25, dtype=np.float32)).save(path)
    assert shown(path) == pytest.approx([0.25] * 3, abs=0.003)
    for level in (200.0, -0.5, float("nan")):
        Image.fromarray(np.full((20, 20), level, dtype=np.float32)).save(path)
        with pytest.raises(RunError, match=r"x\.tiff cannot be read \(mode F with pixels from .*; store it as"):
            shown(path)
    Image.fromarray(np.full((20, 20), 70_000, dtype=np.int32)).save(path)
    with pytest.raises(RunError, match=r"x\.tiff cannot be read \(mode I with pixels from 70000 to 70000"):
        shown(path)


def test_a_drawing_that_is_only_in_the_alpha_channel_is_seen_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((20, 20, 4), dtype=np.uint8)
    pixels[:, :10, 3] = 255
    image = Image.fromarray(pixels)
    for name, made in (("rgba.png", image), ("la.png", image.convert("LA")), ("rgba.tiff", image)):
        made.save(tmp_path / name)
        assert shown(tmp_path / name) == pytest.approx([0.5] * 3, abs=0.02)
    palette = Image.fromarray(np.repeat(np.arange(2, dtype=np.uint8)[None], 10, axis=1).repeat(20, axis=0), mode="P")
    palette.putpalette([0, 0, 0, 0, 0, 0])
    palette.save(tmp_path / "p.png", transparency=1)
    assert shown(tmp_path / "p.png") == pytest.approx([0.5] * 3, abs=0.05)


def test_an_image_stands_upright_as_its_exif_data_say(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 3), dtype=np.uint8)
    pixels[:, :16] = 255  # left half white; turned by 90 degrees, the upper half
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    split = replace(split_of([tmp_path / "turned.png"]), mean=(0.0,) * 3, std=(1.0,) * 3)
    x = next(split.batches(1)).x[0, 0]
    assert x[:6].mean() == 1
    assert x[-6:].mean() == 0


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_unreadable_image_is_named(files: list[Path], num_workers: int) -> None:
    files[5].write_bytes(files[5].read_bytes()[:200])
    with pytest.raises(RunError, match=r"The image .*5\.png cannot be read .*; repair or remove it") as caught:
        list(split_of(files, num_workers=num_workers).batches(4))
    assert "Traceback" not in str(caught.value)


def test_a_last_image_joins_the_batch_before_it(files: list[Path]) -> None:
    assert [len(batch.y) for batch in split_of(files[:7]).batches(3)] == [3, 4]


def test_the_flip_is_an_option(tmp_path: Path) -> None:
    half = np.zeros((32, 32, 3), dtype=np.uint8)
    half[:, :16] = 255
    Image.fromarray(half).save(tmp_path / "half.png")
    split = split_of([tmp_path / "half.png"])
    whole = replace(split, augment=FolderAugment(min_area=1.0, flip=False))
    left = [b.x[0, 0, :, 0].mean() > b.x[0, 0, :, -1].mean() for b in islice(whole.stream(1, seed=0), 20)]
    assert all(left)
    flipped = replace(split, augment=FolderAugment(min_area=1.0))
    left = [b.x[0, 0, :, 0].mean() > b.x[0, 0, :, -1].mean() for b in islice(flipped.stream(1, seed=0), 20)]
    assert 3 < sum(left) < 17


def test_two_copies_of_an_image_in_a_batch_are_augmented_apart(files: list[Path]) -> None:
    x = next(split_of([files[0], files[0]]).stream(2, seed=0)).x
    assert not torch.equal(x[0], x[1])


def test_the_fingerprint_sees_names_labels_content_and_settings(files: list[Path]) -> None:
    split = split_of(files)
    before = split.fingerprint()
    assert split.fingerprint() == replace(split, num_workers=2).fingerprint() == before
    assert replace(split, size=17).fingerprint() != before
    assert replace(split, labels=(0,) * 8).fingerprint() != before
    assert split_of(files[::-1]).fingerprint() != before
    files[3].write_bytes(files[2].read_bytes())
    assert split.fingerprint() != before


def test_bad_settings_are_refused(files: list[Path]) -> None:
    split = split_of(files)
    with pytest.raises(UsageError, match="size=0"):
        replace(split, size=0)
    with pytest.raises(UsageError, match=r"size=10000000 asks for images of .* at most 8,192"):
        replace(split, size=10_000_000)
    with pytest.raises(UsageError, match="num_workers=-1"):
        replace(split, num_workers=-1)
    with pytest.raises(UsageError, match="8 files and 1 labels"):
        replace(split, labels=(0,))
    with pytest.raises(UsageError, match="every std above 0"):
        replace(split, std=(1.0, 1.0, 0.0))
    with pytest.raises(UsageError, match="min_area=0"):
        FolderAugment(min_area=0)
    with pytest.raises(UsageError, match="colour_jitter=2"):
        FolderAugment(colour_jitter=2)
