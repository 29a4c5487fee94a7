"""The contract of a split, for every split that is made of others."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from supernet.data import (
    Augment,
    Batch,
    Endless,
    Joined,
    Mixed,
    MixedSplit,
    OnlyClasses,
    Part,
    RandomLabels,
    Split,
    Unlabelled,
    WrongLabelSplit,
)
from supernet.data.derived.wrong_labels import pair_matrix
from supernet.data.indexed import labels_of
from supernet.deploy.resize import ResizedSplit
from supernet.errors import UsageError
from two_splits import A, B, Two, images, in_files, in_memory, same

CHOSEN = np.array([20, 3, 15, 0, 7, 22, 9, 13, 14, 1, 18])

MADE: dict[str, Callable[[Two], Split]] = {
    "Part": lambda two: Part(two.both, CHOSEN),
    "RandomLabels": lambda two: RandomLabels(two.a, 5, 4),
    "Joined": lambda two: Joined(two.a, two.b),
    "OnlyClasses": lambda two: OnlyClasses(two.both, (2, 0)),
    "Part of Joined": lambda two: Part(Joined(two.a, two.b), CHOSEN),
    "RandomLabels of Joined": lambda two: RandomLabels(Joined(two.a, two.b), 5, 4),
    "Joined of Part and Joined": lambda two: Joined(Part(two.a, np.arange(3, 9)), Joined(two.b, two.a.head(2))),
    "RandomLabels of ResizedSplit": lambda two: RandomLabels(ResizedSplit(two.a, (1, 6, 5)), 5, 4),
    "WrongLabelSplit": lambda two: WrongLabelSplit(two.a, pair_matrix(3, 0.4), 5),
    "Mixed": lambda two: MixedSplit(two.both, Mixed(mixup=0.4, cutmix=1.0, erase=0.5), 3),
    "Unlabelled": lambda two: Unlabelled(two.both),
    "Endless of Part": lambda two: Endless(Part(two.both, CHOSEN)),
}
DROPPING = [name for name in MADE if name != "Endless of Part"]


@pytest.fixture(params=MADE)
def split(request: pytest.FixtureRequest, two: Two) -> Split:
    return MADE[request.param](two)


@pytest.fixture(params=DROPPING)
def dropping(request: pytest.FixtureRequest, two: Two) -> Split:
    return MADE[request.param](two)


def numbers(split: Split, batch: Batch) -> list[int]:
    """Which images of a split an unaugmented batch holds."""
    every = next(split.batches(len(split))).x
    return [int((every == x).flatten(1).all(1).nonzero()) for x in batch.x]


def test_batches_cover_every_image_once_in_order(split: Split) -> None:
    batches = list(split.batches(5))
    assert sum(len(b.y) for b in batches) == len(split)
    assert [len(b.y) for b in batches[:-1]] == [5] * (len(batches) - 1) or len(batches[-1].y) == 6
    assert len(images(split)) == len(split)  # no two alike
    whole = next(split.batches(len(split)))
    assert same(Batch(torch.cat([b.x for b in batches]), torch.cat([b.y for b in batches])), whole)
    assert (whole.x.dtype, whole.y.dtype) == (torch.float32, torch.int64)
    if not isinstance(split, Endless):
        assert whole.y.tolist() == labels_of(split).tolist()  # type: ignore[arg-type]


def test_limit_counts_images(split: Split) -> None:
    assert [len(b.y) for b in split.batches(5, limit=7)] == [5, 2]
    assert sum(len(b.y) for b in split.batches(5, limit=1000)) == len(split)


def test_writing_into_a_batch_leaves_the_split_alone(split: Split) -> None:
    before = next(split.batches(len(split)))
    for batch in (next(split.batches(len(split))), next(split.stream(len(split), seed=0, augment=False))):
        batch.x.zero_()
        batch.y.zero_()
    assert same(next(split.batches(len(split))), before)


def test_the_stream_starts_anywhere(split: Split) -> None:
    whole = list(islice(split.stream(4, seed=3), 12))
    for start in (1, 2, 3, 4, 5, 11):
        assert same(next(split.stream(4, seed=3, start=start)), whole[start])


def test_seeds_differ_and_repeat(split: Split) -> None:
    assert same(next(split.stream(4, seed=3)), next(split.stream(4, seed=3)))
    assert not torch.equal(next(split.stream(4, seed=3)).x, next(split.stream(4, seed=4)).x)


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_one_global_batch(split: Split, world: int) -> None:
    ranks = [list(islice(split.stream(2, seed=3, rank=r, world=world, start=1), 6)) for r in range(world)]
    whole = islice(split.stream(2 * world, seed=3, start=1), 6)
    for t, expected in enumerate(whole):
        assert same(Batch(torch.cat([r[t].x for r in ranks]), torch.cat([r[t].y for r in ranks])), expected)


def test_an_epoch_has_no_image_twice_and_epochs_differ(dropping: Split) -> None:
    per_epoch = len(dropping) // 4
    stream = dropping.stream(4, seed=3, augment=False)
    first, second = ([i for b in islice(stream, per_epoch) for i in numbers(dropping, b)] for _ in range(2))
    assert len(set(first)) == len(set(second)) == per_epoch * 4
    assert first != second


def test_without_augmentation_the_stream_yields_evaluation_images_and_their_labels(split: Split) -> None:
    plain = next(split.batches(len(split)))
    batch = next(split.stream(len(split), seed=0, augment=False))
    found = numbers(split, batch)
    assert sorted(found) == list(range(len(split)))
    assert torch.equal(batch.y, plain.y[found])


def test_the_label_of_an_image_is_the_same_under_augmentation_and_in_every_epoch(split: Split) -> None:
    plain, augmented = (split.stream(4, seed=3, augment=augment) for augment in (False, True))
    labels = next(split.batches(len(split))).y
    changed = 0
    for before, after in islice(zip(plain, augmented, strict=True), 12):
        assert isinstance(split, MixedSplit) or torch.equal(before.y, after.y)
        assert torch.equal(before.y, labels[numbers(split, before)])
        changed += not torch.equal(before.x, after.x)
    assert changed == 12


def test_the_global_generators_are_neither_read_nor_moved(split: Split) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    a = next(split.stream(4, seed=3))
    next(split.batches(4))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert same(next(split.stream(4, seed=3)), a)


def test_head_is_a_prefix(split: Split) -> None:
    whole = next(split.batches(len(split)))
    for n in (1, 2, 7, len(split)):
        head = split.head(n)
        assert len(head) == n
        assert same(next(head.batches(len(split))), Batch(whole.x[:n], whole.y[:n]))
    for n in (0, len(split) + 1):
        with pytest.raises(UsageError, match=f"ask for 1 to {len(split)}"):
            split.head(n)


def test_the_fingerprint_repeats_and_sees_a_missing_image(split: Split) -> None:
    assert split.fingerprint() == split.fingerprint()
    assert split.fingerprint() != split.head(len(split) - 1).fingerprint()


def test_fingerprints_tell_the_kinds_apart(two: Two) -> None:
    made = [make(two).fingerprint() for make in MADE.values()]
    others = [
        two.a.fingerprint(),
        two.both.fingerprint(),
        Part(two.both, CHOSEN[::-1]).fingerprint(),
        Part(two.a, np.arange(A)).fingerprint(),
        RandomLabels(two.a, 6, 4).fingerprint(),
        RandomLabels(two.a, 5, 3).fingerprint(),
        Joined(two.b, two.a).fingerprint(),
        OnlyClasses(two.both, (0, 1)).fingerprint(),
        Endless(two.a).fingerprint(),
    ]
    assert len(set(made + others)) == len(made) + len(others)
    assert OnlyClasses(two.both, (0, 2)).fingerprint() == OnlyClasses(two.both, (2, 0)).fingerprint()


def test_arguments_are_checked_when_the_stream_is_made(dropping: Split) -> None:
    with pytest.raises(UsageError, match=f"needs 24 images, but the split has {len(dropping)}"):
        dropping.stream(24, seed=0)
    with pytest.raises(UsageError, match="rank=2 does not exist among world=2"):
        dropping.stream(2, seed=0, rank=2, world=2)
    with pytest.raises(UsageError, match="start=-1 is negative"):
        dropping.stream(4, seed=0, start=-1)
    with pytest.raises(UsageError, match="seed=-1 is negative"):
        dropping.stream(4, seed=-1)
    with pytest.raises(UsageError, match="batch_size=0"):
        dropping.batches(0)
    with pytest.raises(UsageError, match="limit=0"):
        dropping.batches(4, limit=0)


class Unnumbered:
    """A split of somebody's own that has what `Split` asks for and no more."""

    def __init__(self, split: Split) -> None:
        self._split = split

    def __len__(self) -> int:
        return len(self._split)

    def batches(self, batch_size: int, *, limit: int | None = None) -> Iterator[Batch]:
        return self._split.batches(batch_size, limit=limit)

    def stream(
        self, batch_size: int, *, seed: int, start: int = 0, rank: int = 0, world: int = 1, augment: bool = True
    ) -> Iterator[Batch]:
        return self._split.stream(batch_size, seed=seed, start=start, rank=rank, world=world, augment=augment)

    def head(self, n: int) -> Split:
        return Unnumbered(self._split.head(n))

    def fingerprint(self) -> str:
        return self._split.fingerprint()


@pytest.mark.parametrize(
    "make",
    [
        lambda split: Part(split, np.arange(3)),
        lambda split: RandomLabels(split, 0, 3),
        lambda split: Joined(split, in_memory(Augment(), Augment()).b),
        lambda split: OnlyClasses(split, (0, 1)),
        lambda split: WrongLabelSplit(split, pair_matrix(3, 0.4), 0),
        lambda split: Endless(split),
        lambda split: RandomLabels(ResizedSplit(split, (3, 4, 4)), 0, 3),
    ],
)
def test_what_does_not_know_its_images_by_number_is_refused(make: Callable[[Split], Split]) -> None:
    a = in_memory(Augment(), Augment()).a
    for split in (Unnumbered(a), Endless(a)):
        with pytest.raises(UsageError, match=rf"asked for by number .*; {type(split).__name__} has not all of these"):
            make(split)


@pytest.mark.slow
@pytest.mark.parametrize("name", MADE)
def test_worker_processes_change_nothing(name: str, folder: Path) -> None:
    here, workers = (MADE[name](in_files(folder, num_workers)) for num_workers in (0, 1))
    streams = (islice(split.stream(3, seed=3, start=2), 9) for split in (here, workers))
    assert all(same(a, b) for a, b in zip(*streams, strict=True))
    assert all(same(a, b) for a, b in zip(here.batches(5), workers.batches(5), strict=True))


def test_the_two_splits_hold_what_the_laws_take_for_granted(two: Two) -> None:
    assert (len(two.a), len(two.b)) == (A, B)
    assert images(two.a) | images(two.b) == images(two.both)
    assert not images(two.a) & images(two.b)
