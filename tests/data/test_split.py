"""The contract of a split, for every kind of split."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from supernet.data import Augment, Batch, FolderAugment, FolderSplit, MemorySplit, Split
from supernet.errors import UsageError

N = 23  # with batches of 4: 5 per epoch, 3 images left over


def memory_split(augment: Augment) -> MemorySplit:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (N, 3, 8, 10), dtype=np.uint8))
    labels = torch.arange(N)  # the label tells which image it is
    return MemorySplit(images=pixels, labels=labels, mean=(0.4,) * 3, std=(0.2,) * 3, augment=augment)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    files = []
    for i in range(N):
        file = folder / f"{i}.png"
        Image.fromarray(rng.integers(0, 256, (12 + i % 3, 14, 3), dtype=np.uint8)).save(file)
        files.append(str(file))
    return tuple(files)


def folder_split(files: tuple[str, ...], num_workers: int) -> FolderSplit:
    return FolderSplit(
        files=files,
        labels=tuple(range(N)),
        size=8,
        mean=(0.4,) * 3,
        std=(0.2,) * 3,
        augment=FolderAugment(colour_jitter=0.2),
        num_workers=num_workers,
    )


@pytest.fixture(params=["crop", "affine and cutout", "folder"])
def split(request: pytest.FixtureRequest, photos: tuple[str, ...]) -> Split:
    if request.param == "crop":
        return memory_split(Augment(crop_padding=2, flip=True))
    if request.param == "affine and cutout":
        return memory_split(Augment(shift=1.5, rotate_degrees=20, cutout=3))
    return folder_split(photos, num_workers=0)


def same(a: Batch, b: Batch) -> bool:
    return torch.equal(a.x, b.x) and torch.equal(a.y, b.y)


def test_batches_cover_every_image_once_in_order(split: Split) -> None:
    batches = list(split.batches(5))
    assert [len(b.y) for b in batches] == [5, 5, 5, 5, 3]
    assert torch.cat([b.y for b in batches]).tolist() == list(range(N))
    assert all(b.x.dtype == torch.float32 and b.y.dtype == torch.int64 for b in batches)
    assert batches[0].x.shape[:2] == (5, 3)


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1]), (5, [5]), (7, [5, 2]), (100, [5, 5, 5, 5, 3])])
def test_limit_counts_images(split: Split, limit: int, sizes: list[int]) -> None:
    assert [len(b.y) for b in split.batches(5, limit=limit)] == sizes


def test_writing_into_a_batch_leaves_the_split_alone(split: Split) -> None:
    before = next(split.batches(N))
    for batch in (next(split.batches(N)), next(split.stream(N, seed=0, augment=False))):
        batch.x.zero_()
        batch.y.zero_()
    assert same(next(split.batches(N)), before)


def test_an_epoch_has_no_image_twice_and_epochs_differ(split: Split) -> None:
    seen = [b.y.tolist() for b in islice(split.stream(4, seed=3), 10)]
    first, second = ([i for y in part for i in y] for part in (seen[:5], seen[5:]))
    assert len(set(first)) == len(set(second)) == 20
    assert first != second


def test_the_stream_starts_anywhere(split: Split) -> None:
    whole = list(islice(split.stream(4, seed=3), 12))
    for start in (1, 4, 5, 11):  # inside an epoch, at its end, and in later ones
        assert same(next(split.stream(4, seed=3, start=start)), whole[start])


def test_seeds_differ_and_repeat(split: Split) -> None:
    assert same(next(split.stream(4, seed=3)), next(split.stream(4, seed=3)))
    assert not torch.equal(next(split.stream(4, seed=3)).y, next(split.stream(4, seed=4)).y)


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_one_global_batch(split: Split, world: int) -> None:
    ranks = [list(islice(split.stream(4, seed=3, rank=r, world=world, start=1), 3)) for r in range(world)]
    whole = islice(split.stream(4 * world, seed=3, start=1), 3)
    for t, expected in enumerate(whole):
        joined = Batch(torch.cat([r[t].x for r in ranks]), torch.cat([r[t].y for r in ranks]))
        assert same(joined, expected)


def test_without_augmentation_the_stream_yields_evaluation_images(split: Split) -> None:
    plain = next(split.batches(N))
    batch = next(split.stream(N, seed=0, augment=False))
    assert torch.equal(batch.x, plain.x[batch.y])
    augmented = next(split.stream(N, seed=0))
    assert torch.equal(augmented.y, batch.y)
    assert not torch.equal(augmented.x, batch.x)


def test_augmentation_changes_from_epoch_to_epoch(split: Split) -> None:
    a, b = (next(split.stream(N, seed=0, start=epoch)) for epoch in (0, 1))
    assert not torch.equal(a.x[a.y.argsort()], b.x[b.y.argsort()])


def test_the_global_generators_are_neither_read_nor_moved(split: Split) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    a = next(split.stream(4, seed=3))
    next(split.batches(4))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert same(next(split.stream(4, seed=3)), a)


def test_head_is_a_prefix(split: Split) -> None:
    assert len(split.head(6)) == 6
    assert next(split.head(6).batches(10)).y.tolist() == [0, 1, 2, 3, 4, 5]
    for n in (0, N + 1):
        with pytest.raises(UsageError, match=f"ask for 1 to {N}"):
            split.head(n)


def test_the_fingerprint_tells_splits_apart(split: Split) -> None:
    assert split.fingerprint() == split.head(N).fingerprint()
    assert split.fingerprint() != split.head(N - 1).fingerprint()


def test_arguments_are_checked_when_the_stream_is_made(split: Split) -> None:
    with pytest.raises(UsageError, match="batch_size=24 needs 24 images, but the split has 23"):
        split.stream(24, seed=0)
    with pytest.raises(UsageError, match=r"on each of 4 ranks needs 24 images.*batch size of 5 or less"):
        split.stream(6, seed=0, world=4)
    with pytest.raises(UsageError, match="batch_size=0"):
        split.stream(0, seed=0)
    with pytest.raises(UsageError, match="rank=2 does not exist among world=2"):
        split.stream(4, seed=0, rank=2, world=2)
    with pytest.raises(UsageError, match="start=-1 is negative"):
        split.stream(4, seed=0, start=-1)
    with pytest.raises(UsageError, match="seed=-1 is negative"):
        split.stream(4, seed=-1)
    with pytest.raises(UsageError, match="batch_size=0"):
        split.batches(0)
    with pytest.raises(UsageError, match="limit=0"):
        split.batches(4, limit=0)


def test_worker_processes_change_nothing(photos: tuple[str, ...]) -> None:
    here, workers = folder_split(photos, 0), folder_split(photos, 2)
    for a, b in zip(
        islice(here.stream(4, seed=3, start=3), 6), islice(workers.stream(4, seed=3, start=3), 6), strict=True
    ):
        assert same(a, b)
    assert all(same(a, b) for a, b in zip(here.batches(5), workers.batches(5), strict=True))


def test_a_late_start_decodes_no_earlier_image(photos: tuple[str, ...], tmp_path: Path) -> None:
    wanted = set(next(folder_split(photos, 0).stream(4, seed=3, start=2)).y.tolist())
    only = tuple(f if i in wanted else str(tmp_path / "absent.png") for i, f in enumerate(photos))
    assert set(next(folder_split(only, 0).stream(4, seed=3, start=2)).y.tolist()) == wanted
