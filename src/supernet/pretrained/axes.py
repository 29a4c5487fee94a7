"""What the axes of tensors are made of: dimensions that layers share, their products and concatenations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

HEAD = "it is the dimension of an attention head"
ENTRIES = "the code names its entries"
IMAGE = "it is a side of an image"
KERNEL = "it is a side of a kernel"
OUTSIDE = "it comes from outside the model"
PARTS = "it counts parts that are joined"
REPEATS = "it repeats"

NO_DIMENSIONS = (ENTRIES, IMAGE, KERNEL, OUTSIDE, PARTS, REPEATS)
"""Why an axis cannot vary that nobody would take for a dimension of the model."""

Kind = Literal["product", "concat"]


class Axis:
    """One axis of a tensor, or a part of one: a dimension of its own, or a product or a concatenation of others.

    The rows of a fused projection of queries, keys and values are the product 3 × heads × head dimension, the channels
    behind a dense block the concatenation of what its layers give. Axes that an addition or a layer ties are one
    (`tie`); what is split is split wherever it stands.

    Args:
        size: Its length.
        why: Why it cannot vary; None: it can.
    """

    def __init__(self, size: int, why: str | None = None) -> None:
        self.size, self._why = size, why
        self._same: Axis | None = None
        self.kind: Kind | None = None
        self.parts: list[Axis] = []

    @property
    def root(self) -> Axis:
        """The axis that stands for all that are tied to it."""
        axis = self
        while axis._same is not None:
            axis = axis._same
        return axis

    @property
    def why(self) -> str | None:
        """Why a dimension of its own cannot vary; None: it can."""
        return self.root._why

    def leaves(self) -> Iterator[Axis]:
        """The dimensions that it is made of, in order; one may come several times."""
        root = self.root
        if root.kind is None:
            yield root
        for part in root.parts:
            yield from part.leaves()

    def __repr__(self) -> str:
        root = self.root
        if root.kind is None:
            return f"{root.size}{'' if root._why is None else '!'}"
        return "(" + (" x " if root.kind == "product" else " + ").join(map(repr, root.parts)) + ")"


def freeze(axis: Axis, why: str) -> None:
    """Nothing of the axis can vary, for this reason; an earlier one stays."""
    for leaf in axis.leaves():
        if leaf._why is None:
            leaf._why = why


def product(parts: Sequence[Axis]) -> Axis:
    """The axis over all combinations, the last part running fastest."""
    parts = [part for part in parts if part.size != 1]
    if len(parts) == 1:
        return parts[0]
    return _made("product", parts, math.prod(part.size for part in parts))


def concat(parts: Sequence[Axis]) -> Axis:
    """The axis that has one after the other."""
    parts = [part for part in parts if part.size]
    if len(parts) == 1:
        return parts[0]
    return _made("concat", parts, sum(part.size for part in parts))


def _made(kind: Kind, parts: Sequence[Axis], size: int) -> Axis:
    made = Axis(size)
    flat: list[Axis] = []
    for part in parts:
        root = part.root
        flat += root.parts if root.kind == kind else [root]
    if flat:
        made.kind, made.parts = kind, flat
    return made


def tie(one: Axis, other: Axis) -> None:
    """Make two axes of equal size one: what varies in one varies in the other."""
    one, other = one.root, other.root
    if one is other:
        return
    if one.kind is None or other.kind is None:
        leaf, whole = (one, other) if one.kind is None else (other, one)
        if leaf in list(whole.leaves()):  # a part that is as large as the whole: the rest has size 1
            return
        leaf._same = whole
        if leaf._why is not None:
            freeze(whole, leaf._why)
        return
    if one.kind == other.kind == "product":
        left, right = factors(one), factors(other)
        sizes = _common([f.size for f in left], [f.size for f in right])
        ours = None if sizes is None else split_product(one, sizes)
        theirs = None if sizes is None else split_product(other, sizes)
        if ours is not None and theirs is not None:
            for a, b in zip(ours, theirs, strict=True):
                tie(a, b)
            return
    if one.kind == other.kind == "concat":
        cuts = sorted({*_offsets(one), *_offsets(other)})
        for start, stop in pairwise(cuts):
            left_piece, right_piece = piece(one, start, stop), piece(other, start, stop)
            if left_piece is None or right_piece is None:
                break
            tie(left_piece, right_piece)
        else:
            return
    why = "it is read both as a product and as a concatenation" if one.kind != other.kind else "it is cut in two ways"
    freeze(one, why)
    freeze(other, why)


def factors(axis: Axis) -> list[Axis]:
    """What an axis is the product of; itself, where it is none."""
    root = axis.root
    if root.kind != "product":
        return [root]
    return [factor for part in root.parts for factor in factors(part)]


def split_product(axis: Axis, sizes: Sequence[int]) -> list[Axis] | None:
    """The parts of an axis that is read as a product of these sizes; None: it cannot be."""
    left = [factor for factor in factors(axis) if factor.size != 1]
    found: list[Axis] = []
    for size in reversed(sizes):
        taken: list[Axis] = []
        missing = size
        while missing > 1:
            if not left:
                return None
            last = left.pop()
            if last.size > missing:
                cut = _cut(last, missing)
                if cut is None:
                    return None
                left.append(cut[0])
                last = cut[1]
            if missing % last.size:
                return None
            missing //= last.size
            taken.insert(0, last)
        found.insert(0, product(taken) if taken else Axis(1, "it has one entry"))
    return found


def _cut(axis: Axis, inner: int) -> tuple[Axis, Axis] | None:
    """An axis as a product of two, the second of this size; the parts of a concatenation then vary alike."""
    root = axis.root
    if root.size % inner:
        return None
    if root.kind == "concat":
        pieces = [piece(root, start, start + inner) for start in range(0, root.size, inner)]
        for other in pieces[1:]:
            if other is None or pieces[0] is None:
                return None
            tie(pieces[0], other)
        assert pieces[0] is not None
        return Axis(len(pieces), PARTS), pieces[0]
    if root.kind is not None:
        return None
    parts = [Axis(root.size // inner, root._why), Axis(inner, root._why)]
    root.kind, root.parts = "product", parts
    return parts[0], parts[1]


def piece(axis: Axis, start: int, stop: int) -> Axis | None:
    """A stretch of an axis; None: it cannot be cut there."""
    root = axis.root
    if (start, stop) == (0, root.size):
        return root
    if root.kind is None:
        if root.size == 1:
            return None
        parts = [Axis(size, root._why) for size in (start, stop - start, root.size - stop) if size]
        root.kind, root.parts = "concat", parts
        return parts[1 if start else 0]
    if root.kind == "product":
        first, rest = root.parts[0], root.size // root.parts[0].size
        if start % rest or stop % rest:
            return None
        # Which of the first factor's entries are taken is a matter of the code, so that their number stays.
        freeze(first, ENTRIES)
        return product([*([] if stop - start == rest else [Axis((stop - start) // rest, first.why)]), *root.parts[1:]])
    found: list[Axis] = []
    offset = 0
    for part in list(root.parts):
        low, high = max(start - offset, 0), min(stop - offset, part.size)
        if low < high:
            inner = piece(part, low, high)
            if inner is None:
                return None
            found.append(inner)
        offset += part.size
    return concat(found)


def _offsets(axis: Axis) -> list[int]:
    """Where the parts of a concatenation begin, and where the last ends."""
    offsets = [0]
    for part in axis.root.parts:
        offsets += [
            offsets[-1] + inner for inner in (_offsets(part)[1:] if part.root.kind == "concat" else [part.size])
        ]
    return offsets


def _common(one: Sequence[int], other: Sequence[int]) -> list[int] | None:
    """The coarsest sizes that both products can be split into; None: there are none."""
    left, right = [size for size in one if size != 1], [size for size in other if size != 1]
    found: list[int] = []
    while left and right:
        a, b = left.pop(), right.pop()
        small, large = min(a, b), max(a, b)
        if large % small:
            return None
        found.insert(0, small)
        if large > small:
            (left if a > b else right).append(large // small)
    return found if not left and not right else None
