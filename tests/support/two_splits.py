"""Two small splits without an image in common, in memory and as files."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from supernet.data import Augment, Batch, FolderAugment, FolderSplit, Indexed, MemorySplit, Split

A, B = 14, 9  # images of the two; 23 joined, so that batches of 4 leave 3 over


class Two(NamedTuple):
    """Two splits of one kind, and the one that holds the images of both: labels are i % 3."""

    a: Indexed
    b: Indexed
    both: Indexed


def in_memory(augment: Augment, of_b: Augment) -> Two:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (A + B, 3, 8, 10), dtype=np.uint8))
    labels = torch.arange(A + B) % 3

    def split(rows: slice, augment: Augment) -> MemorySplit:
        return MemorySplit(images=images[rows], labels=labels[rows], mean=(0.4,) * 3, std=(0.2,) * 3, augment=augment)

    return Two(split(slice(0, A), augment), split(slice(A, None), of_b), split(slice(0, None), augment))


def in_files(folder: Path, num_workers: int = 0) -> Two:
    rng = np.random.default_rng(0)
    files = tuple(str(folder / f"{i}.png") for i in range(A + B))
    for file in files:
        Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(file)
    labels = tuple(i % 3 for i in range(A + B))

    def split(rows: slice, augment: FolderAugment) -> FolderSplit:
        return FolderSplit(
            files=files[rows],
            labels=labels[rows],
            size=7,
            mean=(0.4,) * 3,
            std=(0.2,) * 3,
            augment=augment,
            num_workers=num_workers,
        )

    augment = FolderAugment(colour_jitter=0.2)
    of_b = FolderAugment(min_area=1.0, flip=False)
    return Two(split(slice(0, A), augment), split(slice(A, None), of_b), split(slice(0, None), augment))


def same(a: Batch, b: Batch) -> bool:
    return torch.equal(a.x, b.x) and torch.equal(a.y, b.y)


def images(split: Split) -> set[bytes]:
    """The images of a split, as evaluation shows them."""
    return {x.numpy().tobytes() for batch in split.batches(50) for x in batch.x}


def streamed(split: Split, batch_size: int, *, seed: int, start: int, steps: int) -> list[bytes]:
    """The images of some steps of a stream, without augmentation."""
    stream = split.stream(batch_size, seed=seed, start=start, augment=False)
    return [x.numpy().tobytes() for _ in range(steps) for x in next(stream).x]
