"""Domains as data: every image has one, one of them is left out, and none is empty."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch

from supernet.data import (
    AllImages,
    Cutout,
    DomainSplit,
    Part,
    WithDomains,
    WithTarget,
    digits,
    domains_of,
    from_domains,
    mnist5k,
    with_domains,
)
from supernet.data.indexed import indexed
from supernet.errors import UsageError
from two_splits import same

PLAIN, DIM, DARK = 200, 120, 40
BRIGHTNESS = {"plain": PLAIN, "dim": DIM, "dark": DARK}


def flat(value: int, count: int = 60) -> tuple[Any, Any]:
    """Images whose brightness says their domain, and whose second pixel says which image they are."""
    images = np.full((count, 8, 8), value, dtype=np.uint8)
    images[:, 0, 1] = np.arange(count)
    return images, np.arange(count) % 3


def day(**options: Any) -> Any:
    found = {name: flat(value, 60 + 30 * number) for number, (name, value) in enumerate(BRIGHTNESS.items())}
    return from_domains(found, target="dark", **options)


def test_every_image_of_every_split_is_of_its_domain_and_the_target_is_the_test() -> None:
    data = day(validation=0.2)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [120, 30, 120]
    for split in (data.train, data.validation):
        names, numbers = domains_of(split)
        assert names == ("plain", "dim")
        found = split.split.images[:, 0, 7, 7]
        assert found.tolist() == [BRIGHTNESS[names[number]] for number in numbers]
        shares = [int((numbers == domain).sum()) / len(split) for domain in (0, 1)]
        assert shares == pytest.approx([0.4, 0.6]), "domains are divided in proportion"
    assert set(data.test.images[:, 0, 7, 7].tolist()) == {DARK}
    assert data.mean[0] < (0.4 * PLAIN + 0.6 * DIM) / 255
    assert data.mean[0] > DIM / 255, "nothing of the target is in the statistics"


def test_domains_are_named_splits_of_the_training_images() -> None:
    data = day()
    assert list(data.more) == ["domain/plain", "domain/dim"]
    for name, split in data.more.items():
        batch = next(split.batches(len(split)))
        pixels = batch.images[:, 0, 7, 7] * data.std[0] + data.mean[0]
        assert (pixels * 255).round().unique().tolist() == [BRIGHTNESS[name.partition("/")[2]]]
    assert sum(map(len, data.more.values())) == len(data.train)


def test_what_is_made_of_a_split_knows_its_domains() -> None:
    data = day(augment=None)
    _, numbers = domains_of(data.train)
    chosen = np.array([5, 0, 44])
    assert domains_of(Part(data.train, chosen))[1].tolist() == numbers[chosen].tolist()
    both = AllImages()(data).train
    assert domains_of(both)[1].tolist() == [*numbers, *domains_of(data.validation)[1]]
    assert domains_of(data.train.head(30))[1].tolist() == numbers[:30].tolist()
    with pytest.raises(UsageError, match="is not known in a MemorySplit"):
        domains_of(digits().train)


def test_batches_say_the_domain_of_each_image_and_are_otherwise_the_same() -> None:
    data = day()
    plain, told = (list(islice(d.train.stream(16, seed=2, start=3), 6)) for d in (data, WithDomains(2)(data)))
    for before, after in zip(plain, told, strict=True):
        assert same(before, type(after)(after.x["images"], after.y))
        bright = before.images[:, 0, 4, 4] > 0
        assert torch.equal(after.x["domain"] == 0, bright)
    assert WithDomains()(data).validation is data.validation
    fingerprints = {d.train.fingerprint() for d in (data, WithDomains()(data))} | {data.train.split.fingerprint()}
    assert len(fingerprints) == 3
    other = with_domains(digits(), np.arange(1150) % 2, ("even", "odd"))
    assert other.fingerprint() != with_domains(digits(), np.arange(1150) % 3 // 2, ("even", "odd")).fingerprint()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: from_domains({"a": flat(1), "b": (np.zeros((0, 8, 8), np.uint8), [])}, target="a"),
            "'b' has no images",
        ),
        (lambda: from_domains({"a": flat(1), "b": flat(2)}, target="c"), "two domains or more, and one of them"),
        (lambda: from_domains({"a": flat(1)}, target="a"), "two domains or more"),
        (
            lambda: from_domains({"a": flat(1), "b": flat(2), "c": (flat(3)[0][:, :4], flat(3)[1])}, target="a"),
            "'c' has 60 labels and uint8 images of shape",
        ),
        (lambda: with_domains(digits(), np.zeros(1150), ("a", "b")), "'b' has no images"),
        (lambda: with_domains(digits(), np.zeros(3), ("a",)), r"of shape \(1150,\)"),
        (lambda: with_domains(digits(), np.arange(1150) % 3, ("a", "b")), "of domain 2, but there are 2"),
        (lambda: with_domains(digits(), np.arange(1150) % 2, ("a", "a")), "a name of its own"),
        (lambda: with_domains(day(), np.zeros(135), ("a",)), "divided into domains already"),
        (lambda: WithDomains(3)(day()), r"come from 2 domains \(plain, dim\), and 3 were asked for"),
        (lambda: WithDomains(0), "give 1 or more"),
        (lambda: WithDomains()(digits()), "is not known"),
        (lambda: day().train.of("dark"), "no domain 'dark'"),
    ],
)
def test_what_is_no_domain_is_refused_in_a_sentence(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_cutout_keeps_the_domains_where_it_can() -> None:
    train = digits().train
    split = DomainSplit(indexed(Cutout(4)(digits()).train, "a test"), np.arange(len(train)) % 2, ("a", "b"))
    assert len(split.of("b")) == len(train) // 2


# -- a target to adapt to ------------------------------------------------------------------------------------------


def test_a_share_of_the_target_is_there_without_labels_and_the_rest_is_the_test() -> None:
    data = day(adapt=0.25, augment=None)
    target = data.split("target")
    assert (len(target), len(data.test)) == (30, 90)
    numbers = [_numbers(data, split) for split in (target, data.test)]
    assert sorted(numbers[0] + numbers[1]) == list(range(120)), "every image of the target stands in one of them"
    assert set(_labels(target)) == set(target.labels.tolist()) == {-1}
    assert _labels(data.test) == [number % 3 for number in numbers[1]]
    assert (target.split.mean, target.split.augment) == (data.mean, data.train.split.augment)
    plain = day(augment=None)
    assert (data.mean, len(data.train), len(data.validation)) == (plain.mean, len(plain.train), len(plain.validation))
    every = day(adapt=1.0)
    assert (len(every.split("target")), len(every.test)) == (120, 120), "adapted to the very images of the test"
    assert "target" not in plain.more


def test_labels_of_the_target_decide_nothing_that_is_trained_on() -> None:
    """Not even an order: other labels, of one class alone, leave every training and target batch as it was."""
    images = {name: flat(value) for name, value in BRIGHTNESS.items()}
    poisoned = {**images, "dark": (images["dark"][0], np.full(60, 2))}
    one, other = (from_domains(found, target="dark", adapt=0.5) for found in (images, poisoned))
    for name in ("train", "validation", "target"):
        batches = [list(islice(data.split(name).stream(6, seed=1), 5)) for data in (one, other)]
        assert all(map(same, *batches))
    assert set(_labels(other.test)) == {2}


def test_data_that_are_there_get_a_target_whose_labels_stay_hidden() -> None:
    data = digits()
    two = WithTarget("new")(replace(data, more={"new": data.validation}))
    assert set(_labels(two.split("new"))) == {-1}
    assert WithTarget("new")(two).split("new") is two.split("new"), "hidden once"
    assert two.split("new").head(5).fingerprint() != data.validation.head(5).fingerprint()


def _numbers(data: Any, split: Any) -> list[int]:
    """Which images of the domain they are, as their second pixel says."""
    batch = next(split.batches(len(split)))
    pixels = batch.images[:, 0, 0, 1] * data.std[0] + data.mean[0]
    return [int(number) for number in (pixels * 255).round().tolist()]


def _labels(split: Any) -> list[int]:
    found: list[int] = next(split.batches(len(split))).y.tolist()
    return found


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: day(adapt=1.5), r"adapt=1\.5 is no share"),
        (lambda: day(adapt=float("nan")), "is no share"),
        (lambda: day(adapt=0.001), r"of 120 images of the target leaves none to adapt to"),
        (lambda: day(adapt=0.999), "leaves none to test on"),
        (lambda: WithTarget()(digits()), "has no further split 'target'; further splits are: none"),
        (lambda: WithTarget()(day()), "further splits are: domain/plain, domain/dim"),
        (lambda: WithTarget("a")(replace(digits(), more={"a": _Empty(digits().train)})), "has no images, so there is"),
        (
            lambda: WithTarget("a")(replace(digits(), more={"a": mnist5k().train})),
            r"target are \(1, 28, 28\), and those of digits are \(1, 8, 8\)",
        ),
    ],
)
def test_what_is_no_target_is_refused_in_a_sentence(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


class _Empty(Part):
    """A split of somebody else's that has no images."""

    def __init__(self, split: Any) -> None:
        object.__setattr__(self, "split", split)
        object.__setattr__(self, "indices", np.zeros(0, dtype=np.int64))
