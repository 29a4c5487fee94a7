"""Another augmentation of the images of a split, whatever has been made of them since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from supernet.data.derived.joined import Joined
from supernet.data.derived.views import Views


def with_augment(split: Any, change: Callable[[Any], Any]) -> Any:
    """The split whose images are augmented by what `change` makes of their augmentation.

    Splits that are made of others are changed inside, where the images are held: images keep their labels, their order
    and what else is done to them.

    Args:
        split: The split.
        change: Given the augmentation as a value, returns another one, or the very same where it knows none.

    Returns:
        The split; the same object where nothing has changed, as where views are augmented each in a way of its own.

    >>> from dataclasses import replace
    >>> from supernet.data import WrongLabels, digits
    >>> noisy = WrongLabels(rate=0.2)(digits()).train
    >>> with_augment(noisy, lambda augment: replace(augment, cutout=2)).augment.cutout
    2
    """
    if not is_dataclass(split) or isinstance(split, type) or (isinstance(split, Views) and split.augments):
        return split
    held = {field.name: getattr(split, field.name) for field in fields(split)}
    if held.get("augment") is not None:
        changed = {"augment": change(held["augment"])}
    else:
        # A joined split puts all its images through the augmentation of its first.
        inner = ("a",) if isinstance(split, Joined) else [name for name in held if hasattr(held[name], "stream")]
        changed = {name: with_augment(held[name], change) for name in inner}
    changed = {name: value for name, value in changed.items() if value is not held[name]}
    return replace(split, **changed) if changed else split
