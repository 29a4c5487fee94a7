"""Images of several domains, such as photographs and sketches of one set of classes, one of them kept for the test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from supernet.data.arrays import Layout, from_arrays
from supernet.data.augment import Augment
from supernet.data.data import Data
from supernet.data.derived.joined import Joined
from supernet.data.derived.part import Part
from supernet.data.derived.unlabelled import Unlabelled
from supernet.data.image_data import ImageData
from supernet.data.indexed import Indexed, OfOneSplit, indexed
from supernet.data.memory import MemorySplit
from supernet.data.position import SPLIT, Indices, Position, generator
from supernet.data.split import Split, check_head
from supernet.data.stratify import hold_out
from supernet.errors import UsageError
from supernet.nn.batch import Batch

DOMAIN = "domain/"
"""What the names of the splits begin with that hold the training images of one domain."""

ADAPTED = 2  # what is drawn of the target, beside the pools of digit_domains

TARGET = "target"
"""The split of the images of the target that may be trained on, without their labels."""


@dataclass(frozen=True, eq=False)
class DomainSplit(OfOneSplit):
    """A split of which is known from which domain every image comes; a :class:`~supernet.data.Split`.

    Its batches are those of the split: `WithDomains` puts the domains into them.

    Attributes:
        split: The split that the images come from.
        domain: The number of the domain of each image ``(N,)``, int64.
        names: The names of the domains, in the order of their numbers.

    Raises:
        UsageError: There is not one number per image, a number has no name, a domain has no images, or the split does
            not know its images by number.

    >>> from supernet.data import digits
    >>> split = DomainSplit(digits().train.head(4), np.array([0, 1, 1, 0]), ("scanned", "drawn"))
    >>> len(split.of("drawn"))
    2
    """

    split: Indexed
    domain: Indices = field(repr=False)
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        count, given = len(indexed(self.split, "A DomainSplit")), self.domain
        if not isinstance(given, np.ndarray) or given.dtype != np.int64 or given.shape != (count,):
            raise UsageError(
                f"Domains are told by one int64 per image, of shape ({count},); got "
                f"{getattr(given, 'dtype', type(given).__name__)} of shape {getattr(given, 'shape', '()')}."
            )
        if len(set(self.names)) < len(self.names):
            raise UsageError(f"The domains are called {', '.join(self.names)}; give each a name of its own.")
        if given.min() < 0 or given.max() >= len(self.names):
            wrong = given[(given < 0) | (given >= len(self.names))][0]
            raise UsageError(
                f"An image is of domain {wrong}, but there are {len(self.names)}: {', '.join(self.names)}. Domains "
                "count from 0."
            )
        _refuse_empty(dict(zip(self.names, np.bincount(given, minlength=len(self.names)).tolist(), strict=True)))

    def of(self, name: str) -> Part:
        """The images of one domain.

        Raises:
            UsageError: There is no such domain.
        """
        if name not in self.names:
            raise UsageError(f"There is no domain {name!r}; there are {', '.join(self.names)}.")
        return Part(self.split, np.flatnonzero(self.domain == self.names.index(name)))

    def at(self, places: Iterable[Position], *, seed: int, augment: Any) -> Iterator[Batch]:
        """The images at given places; see :meth:`Indexed.at`."""
        return self.split.at(places, seed=seed, augment=augment)

    def head(self, n: int) -> DomainSplit:
        """The first ``n`` images.

        Raises:
            UsageError: They are none, more than there are, or leave a domain without images.
        """
        check_head(n, len(self))
        return replace(self, split=self.split.head(n), domain=self.domain[:n])

    def fingerprint(self) -> str:
        """Digest of the split and of every image's domain."""
        digest = hashlib.sha256(f"Domains {self.names} of {self.split.fingerprint()}: ".encode())
        digest.update(np.ascontiguousarray(self.domain).data)
        return digest.hexdigest()


def domains_of(split: Split) -> tuple[tuple[str, ...], Indices]:
    """The names of the domains of a split, and the number of each image's domain ``(N,)``.

    A part of a split, two splits joined and a split that changes images have the domains of what they are made of.

    Raises:
        UsageError: Nobody knows the domains of the images.

    >>> from supernet.data import AllImages, digit_domains
    >>> names, numbers = domains_of(AllImages()(digit_domains()).train)
    >>> names, len(numbers) == len(AllImages()(digit_domains()).train)
    (('plain', 'rotated', 'blurred'), True)
    """
    if isinstance(split, DomainSplit):
        return split.names, split.domain
    if isinstance(split, Part):
        names, numbers = domains_of(split.split)
        return names, numbers[split.indices]
    if isinstance(split, Joined):
        (names, first), (others, second) = domains_of(split.a), domains_of(split.b)
        if names != others:
            raise UsageError(
                f"Images of the domains {', '.join(names)} are joined with images of {', '.join(others)}. Join splits "
                "that know the same domains."
            )
        return names, np.concatenate([first, second])
    inner = getattr(split, "split", None)
    if inner is not None and not callable(inner) and len(inner) == len(split):
        return domains_of(inner)
    raise UsageError(
        f"Which domain an image comes from is not known in a {type(split).__name__}. Take data of several domains, as "
        "digit_domains() or from_domains(…) make, or say it by DomainSplit(split, numbers, names)."
    )


def with_domains(data: Data, domain: npt.ArrayLike, names: tuple[str, ...]) -> Data:
    """Data whose training images are of these domains, and a split ``domain/NAME`` for each of them.

    Args:
        data: The data; validation and test images stay as they are.
        domain: The number of the domain of each training image ``(N,)``, in the order of the split.
        names: The names of the domains.

    Raises:
        UsageError: As in `DomainSplit`, or there are such splits already.
    """
    train = DomainSplit(indexed(data.train, "with_domains"), np.asarray(domain, dtype=np.int64), tuple(names))
    if any(name.startswith(DOMAIN) for name in data.more):
        raise UsageError(f"{data.name} is divided into domains already; divide it once.")
    return replace(data, train=train, more={**data.more, **{f"{DOMAIN}{name}": train.of(name) for name in names}})


def from_domains(
    domains: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]],
    *,
    target: str,
    adapt: float = 0.0,
    name: str = "domains",
    validation: float = 0.1,
    seed: int = 0,
    layout: Layout | None = None,
    augment: Augment | None = None,
) -> ImageData:
    """Leave one domain out: all of its images are the test images, and the others are trained and validated on.

    Args:
        domains: Images and labels by domain, as `from_arrays` takes them, all of one size, type and set of classes.
        target: The domain that is left out. Nothing of it is trained on, compared by or counted in statistics, but what
            `adapt` says.
        adapt: Share of the target's images that may be trained on without their labels, as the split `target`; 0: none.
            They are drawn without a look at labels, and the others are the test images. 1: all of them, which are the
            test images too.
        name: Name of the data set in logs and reports.
        validation: Fraction or number of the other domains' images to hold out for validation, of each domain and class
            in proportion.
        seed: The seed that decides which images are held out.
        layout: Where the channels of four-dimensional images are; by default the axis of 4 or less.
        augment: Random changes of training images; None: those of `default_augment`.

    Returns:
        Images whose training split is a `DomainSplit`, with splits ``domain/NAME`` for its domains, and `target`.

    Raises:
        UsageError: There is no such target or no other domain, a domain has no images, a share outside [0, 1] or that
            leaves no image on one side, or as in `from_arrays`.

    >>> noise, labels = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8), np.arange(40) % 2
    >>> by_domain = {"day": (noise, labels), "dusk": (noise // 2, labels), "night": (noise // 9, labels)}
    >>> data = from_domains(by_domain, target="night", name="hours")
    >>> print(data, list(data.more))
    hours without night: 72 train, 8 validation, 40 test images of 1x8x8, 2 classes ['domain/day', 'domain/dusk']
    """
    if target not in domains or len(domains) < 2:
        raise UsageError(
            f"The domain {target!r} was to be left out of {', '.join(domains) or 'none'}. Give two domains or more, "
            "and one of them as target."
        )
    arrays = {domain: (np.asarray(images), np.asarray(labels)) for domain, (images, labels) in domains.items()}
    _refuse_empty({domain: len(images) for domain, (images, _) in arrays.items()})
    sources = [domain for domain in arrays if domain != target]
    for domain, (images, labels) in arrays.items():
        first = arrays[sources[0]][0]
        if (images.shape[1:], images.dtype) != (first.shape[1:], first.dtype) or len(labels) != len(images):
            raise UsageError(
                f"The domain {domain!r} has {len(labels)} labels and {images.dtype} images of shape {images.shape}, "
                f"and {sources[0]!r} has {first.dtype} images of shape {first.shape}. Bring all to one size and "
                "type, with one label per image."
            )
    adapted, tested = _parts_of_target(len(arrays[target][0]), adapt, seed)
    images, labels = (np.concatenate([arrays[domain][i] for domain in sources]) for i in (0, 1))
    numbers: Indices = np.repeat(
        np.arange(len(sources), dtype=np.int64), [len(arrays[domain][0]) for domain in sources]
    )
    kept, held = _held_out(labels, numbers, sources, validation, seed)

    def built(
        pixels: npt.NDArray[Any], of_target: npt.NDArray[Any], answers: npt.NDArray[Any], **options: Any
    ) -> ImageData:
        return from_arrays(
            pixels[kept],
            labels[kept],
            name=f"{name} without {target}",
            validation=(pixels[held], labels[held]),
            test=(of_target, answers),
            seed=seed,
            **options,
        )

    pixels, answers = arrays[target][0], arrays[target][1][tested]
    # Where the target is trained on, its labels may not even decide in which order other images come.
    unseen = np.zeros_like(answers) if adapt else answers
    data = built(images, pixels[tested], unseen, layout=layout, augment=augment)
    # What became of the order is a matter of the labels and the seed: the same call on numbers tells it.
    counted = np.arange(len(images), dtype=np.float32).reshape(-1, 1, 1)
    order = built(counted, np.zeros((len(tested), 1, 1), np.float32), unseen, augment=Augment())
    trained, held_out = (numbers[_pixels(split)] for split in (order.train, order.validation))
    found = with_domains(data, trained, tuple(sources))
    assert isinstance(found, ImageData)
    try:
        validated = DomainSplit(indexed(data.validation, "from_domains"), held_out, tuple(sources))
    except UsageError as error:
        raise UsageError(f"validation={validation} of the images is too few: {error}") from error
    found = replace(found, validation=validated)
    if not adapt:
        return found
    none = np.zeros(len(adapted), dtype=np.int64)
    unlabelled = built(images, pixels[adapted], none, layout=layout, augment=augment).held_out
    test = built(images, pixels[tested], answers, layout=layout, augment=augment).held_out
    hidden = Unlabelled(indexed(unlabelled, "from_domains"))
    return replace(found, held_out=test, more={**found.more, TARGET: hidden})


def _parts_of_target(count: int, adapt: float, seed: int) -> tuple[Indices, Indices]:
    """The numbers of the images of the target that are adapted to, and of those that are the test."""
    if not 0 <= adapt <= 1:
        raise UsageError(f"adapt={adapt} is no share of the target's images; give a number from 0 to 1.")
    everything, number = np.arange(count), round(adapt * count)
    if adapt in (0, 1):
        return everything[:number], everything
    if not 0 < number < count:
        raise UsageError(
            f"adapt={adapt} of {count} images of the target leaves none to {'test on' if number else 'adapt to'}; give "
            "another share, or 1 to adapt to the images of the test."
        )
    drawn = generator(seed, SPLIT, ADAPTED).permutation(count)
    return np.sort(drawn[:number]), np.sort(drawn[number:])


def _held_out(
    labels: npt.NDArray[Any], numbers: Indices, sources: list[str], validation: float, seed: int
) -> tuple[Indices, Indices]:
    """The numbers of the images that are kept and held out, of each domain and class in proportion."""
    pairs, group = np.unique(np.stack([numbers, labels.reshape(-1)]), axis=1, return_inverse=True)
    called = [f"{label} of {sources[int(domain)]}" for domain, label in pairs.T]
    return hold_out(
        group.reshape(-1).astype(np.int64),
        validation,
        rng=generator(seed, SPLIT),
        classes=called,
        option="validation",
    )


def _pixels(split: Split) -> Indices:
    assert isinstance(split, MemorySplit)
    found: Indices = split.images.flatten().long().numpy()
    return found


def _refuse_empty(counts: Mapping[str, int]) -> None:
    if empty := [name for name, count in counts.items() if not count]:
        raise UsageError(
            f"The domain {empty[0]!r} has no images, so nothing can be learned about it. Give it images, or leave it "
            f"out; there are {', '.join(f'{count} of {name}' for name, count in counts.items() if count) or 'none'}."
        )
