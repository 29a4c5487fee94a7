"""Parts: what a method trains, or keeps, beside the weights of the supernet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from torch import nn

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.tasks import Classification, Task
from supernet.train.updates import Updates

__all__ = ["Part", "Setting", "Slice"]

WEIGHTS = "weights"
"""The family of the supernet's own parameters."""


class Setting(NamedTuple):
    """What a part may be built from.

    Attributes:
        net: The supernet, adapted, on its device, with its initial weights; in a resumed training with those of the
            checkpoint.
        seed: The seed of the training. torch's generator is seeded from it and the part's name while a part is built.
        memory: What programs remember.
        task: What the network is asked for.
    """

    net: Supernet
    seed: int
    memory: Mapping[str, Any]
    task: Task = Classification()


@dataclass(frozen=True, kw_only=True)
class Part:
    """A module beside the supernet: architecture parameters, a controller, a teacher, an average, a queue.

    The name it has in `Recipe.parts` is the name of the family of its parameters.

    Args:
        build: Makes the module, the same on every process.
        updates: How its parameters are stepped; None: no move may step them, and edits alone change it.
        mode: The mode, `"train"` or `"eval"`, that the module is put into.
        kept: Whether checkpoints hold it; one that is not kept is built anew on resuming, such as a teacher that comes
            from a file.

    Raises:
        UsageError: a value of another kind.
    """

    build: Callable[[Setting], nn.Module]
    updates: Updates | None = None
    mode: Literal["train", "eval"] = "train"
    kept: bool = True

    def __post_init__(self) -> None:
        if not callable(self.build) or isinstance(self.build, nn.Module):
            raise UsageError(f"A part is built by a function of its setting; got {self.build!r}.")
        if self.mode not in ("train", "eval"):
            raise UsageError(f"A part is put into the mode 'train' or 'eval'; got {self.mode!r}.")


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Parameters of the supernet that are a family of their own; `"weights"` are those that no slice takes.

    Args:
        select: The function that finds them in the supernet.
        updates: How they are stepped.
    """

    select: Callable[[Supernet], Iterable[nn.Parameter]]
    updates: Updates


def families_of(net: Supernet, parts: Mapping[str, Part | Slice]) -> dict[str, list[nn.Parameter]]:
    """The parameters of the supernet by family: those of every slice, and the weights that are left.

    Raises:
        UsageError: a slice takes nothing, what another one has taken, or what is not of the supernet.
    """
    everything, taken = {id(parameter) for parameter in net.parameters()}, set[int]()
    found: dict[str, list[nn.Parameter]] = {}
    for name, part in parts.items():
        if not isinstance(part, Slice):
            continue
        selected = {id(parameter): parameter for parameter in part.select(net)}
        found[name] = list(selected.values())
        wrong = "no parameter" if not selected else "parameters of another slice" if selected.keys() & taken else ""
        if selected.keys() - everything:
            wrong = "parameters that are not the supernet's"
        if wrong:
            raise UsageError(
                f"The slice {name!r} of the supernet has {wrong}. Select parameters of its own; "
                f"{type(net.module).__name__} was searched for them."
            )
        taken |= selected.keys()
    return {WEIGHTS: [p for p in net.parameters() if id(p) not in taken]} | found
