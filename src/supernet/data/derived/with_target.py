"""Data with images of another domain to adapt to, whose labels stay hidden."""

from __future__ import annotations

from dataclasses import dataclass, replace

from supernet.data.data import Kind
from supernet.data.derived.unlabelled import Unlabelled
from supernet.data.indexed import indexed
from supernet.errors import UsageError


@dataclass(frozen=True)
class WithTarget:
    """Data that has images of a target domain, as a further split, of which no label is given.

    Args:
        target: The name of the split.

    >>> from supernet.data import digit_domains
    >>> data = WithTarget()(digit_domains(adapt=0.5))
    >>> len(data.split("target")), next(data.split("target").batches(2)).y.tolist()
    (224, [-1, -1])
    """

    target: str = "target"

    def __call__(self, data: Kind) -> Kind:
        """The data, in which the split is `Unlabelled`.

        Raises:
            UsageError: There is no such split, or it has no images, or images of another shape.
        """
        if self.target not in data.more:
            more = ", ".join(data.more) or "none"
            raise UsageError(
                f"Images of a target domain are needed to adapt to, but {data.name} has no further split "
                f"{self.target!r}; further splits are: {more}. Take data of two domains, as digit_domains(adapt=0.5) "
                f"or from_domains(…, adapt=0.5) make, or add a split: dataclasses.replace(data, more={{{self.target!r}:"
                " …})."
            )
        split = indexed(data.more[self.target], "WithTarget")
        if not len(split):
            raise UsageError(
                f"The split {self.target!r} of {data.name} has no images, so there is nothing to adapt to. Give some."
            )
        if split.shape != data.shape:
            raise UsageError(
                f"Images of the target are {split.shape}, and those of {data.name} are {data.shape}. Bring all to one "
                "size and number of channels."
            )
        hidden = split if isinstance(split, Unlabelled) else Unlabelled(split)
        return replace(data, more={**data.more, self.target: hidden})
