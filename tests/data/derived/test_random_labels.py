import subprocess
import sys
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from scipy.stats import chi2, chi2_contingency

from supernet.data import Augment, ImageData, MemorySplit, RandomLabelled, RandomLabels, digits
from supernet.errors import UsageError
from two_splits import A, Two, images, in_memory, same


def many(n: int) -> MemorySplit:
    pixels = torch.zeros(n, 1, 1, 1, dtype=torch.uint8)
    return MemorySplit(images=pixels, labels=torch.arange(n) % 10, mean=(0.0,), std=(1.0,), augment=Augment())


def test_images_order_and_augmentation_are_those_of_the_split(two: Two) -> None:
    split = RandomLabels(two.a, seed=1, num_classes=5)
    numbered = replace(two.a, labels=torch.arange(A) if isinstance(two.a, MemorySplit) else tuple(range(A)))  # type: ignore[type-var]
    for made, own in islice(zip(split.stream(4, seed=2), numbered.stream(4, seed=2), strict=True), 8):
        assert torch.equal(made.x, own.x)
        assert made.y.tolist() == split.labels[own.y.numpy()].tolist()


def test_every_class_is_equally_likely_whatever_the_true_class() -> None:
    drawn = RandomLabels(many(20_000), seed=0, num_classes=10).labels
    counts = np.bincount(drawn, minlength=10)
    assert len(counts) == 10
    assert ((counts - 2000) ** 2 / 2000).sum() < chi2.ppf(1 - 1e-4, 9)
    assert counts.std() > 10  # drawn one by one, not dealt in equal numbers
    together = np.zeros((10, 10))
    np.add.at(together, (np.arange(20_000) % 10, drawn), 1)
    assert chi2_contingency(together).pvalue > 1e-4


def test_labels_depend_on_their_seed_and_not_on_that_of_the_stream() -> None:
    a, b = (RandomLabels(many(5000), seed=seed, num_classes=10) for seed in (0, 1))
    assert abs((a.labels == b.labels).mean() - 0.1) < 0.02  # as often as by chance
    assert a.labels.tolist() == RandomLabels(many(5000), seed=0, num_classes=10).labels.tolist()


def test_the_head_of_a_split_keeps_its_labels() -> None:
    whole = RandomLabels(many(1000), seed=0, num_classes=7).labels
    for n in (1, 2, 333, 999):
        assert RandomLabels(many(n), seed=0, num_classes=7).labels.tolist() == whole[:n].tolist()


@pytest.mark.slow
def test_another_process_draws_the_same_labels() -> None:
    code = (
        "from supernet.data import digits, RandomLabels;"
        "s = RandomLabels(digits().train, 4, 10); print(s.labels[:50].tolist(), s.fingerprint())"
    )
    split = RandomLabels(digits().train, 4, 10)  # type: ignore[arg-type]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{split.labels[:50].tolist()} {split.fingerprint()}"


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(UsageError, match="num_classes=1 leaves nothing to draw"):
        RandomLabels(many(5), 0, 1)
    with pytest.raises(UsageError, match="seed=-1 is negative"):
        RandomLabels(many(5), -1, 2)


def test_only_the_training_images_of_a_data_set_are_relabelled(data: ImageData) -> None:
    made = RandomLabelled(seed=2)(data.sealed())
    assert made.is_sealed
    assert (made.validation, made.held_out) == (data.validation, data.held_out)
    assert images(made.train) == images(data.train)
    assert not images(made.train) & images(data.validation)
    expected = RandomLabels(in_memory(Augment(crop_padding=1), Augment()).a, 2, 3)
    assert all(same(a, b) for a, b in zip(made.train.batches(5), expected.batches(5), strict=True))
    assert made.name == "noise, random labels 2"
    assert len({d.fingerprint() for d in (data, made, RandomLabelled(seed=3)(data))}) == 3
    assert made.fingerprint() == RandomLabelled(seed=2)(data).fingerprint()
