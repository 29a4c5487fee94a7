"""What pieces of a user's own answer, checked where they are asked, so that an error names the piece."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

from torch import Tensor

from supernet.errors import UsageError

_OF_THE_LOG = frozenset({"step", "lr", "loss", "forwards", "backwards", "seconds", "examples_per_s"})


def title(piece: object) -> str:
    """What errors call a piece: its class, or its own name where it is a function or a class."""
    return str(getattr(piece, "__name__", type(piece).__name__))


def check_loss(found: object, objective: object) -> None:
    """Refuse what is no loss.

    Raises:
        UsageError: it is no scalar tensor, and no terms by name that are.
    """
    terms = found if isinstance(found, Mapping) else {"": found}
    for name, term in terms.items():
        if isinstance(term, Tensor) and term.numel() == 1 and (term.is_floating_point() or name):
            continue
        shape = f"of shape {tuple(term.shape)} and type {term.dtype}" if isinstance(term, Tensor) else ""
        what = f"{type(term).__name__} {shape}".rstrip()
        raise UsageError(
            f"The objective {title(objective)} returned a {what}{f' as {name!r}' if name else ''}; it returns the loss "
            "of the batch as one floating tensor without dimensions, such as a mean, or such terms by name."
        )
    if not terms:
        raise UsageError(f"The objective {title(objective)} returned no term; it returns the loss, or terms by name.")


def check_graph(loss: Tensor, objective: object) -> None:
    """Refuse a loss that no weight can learn from.

    Raises:
        UsageError: it has no graph.
    """
    if not loss.requires_grad:
        raise UsageError(
            f"The loss of the objective {title(objective)} depends on no weight that learns: it is a constant, or was "
            "detached, made into a number or computed under no_grad. Compute it from the outputs of the network."
        )


def check_callable(piece: object, what: str, *needs: str) -> None:
    """Refuse what is no piece of a kind, such as its class in place of a value.

    Args:
        piece: What was given.
        what: The kind, such as "sampler".
        needs: The methods that it has; none: it is called.

    Raises:
        UsageError: it lacks one.
    """
    if isinstance(piece, type):
        raise UsageError(f"The {what} is the class {piece.__name__}; give a value of it, such as {piece.__name__}(…).")
    missing = [name for name in needs or ("__call__",) if not hasattr(piece, name)]
    if missing:
        has = "can be called" if missing == ["__call__"] else f"has {' and '.join(needs)}"
        raise UsageError(f"The {what} {title(piece)} is no {what}: one {has}, and it lacks {', '.join(missing)}.")


def numbers(found: Any, what: str, *, fresh: bool = False) -> dict[str, float]:
    """Numbers for the log, by name, from what a piece returned; one tensor, number or NumPy scalar each.

    Args:
        found: What was returned.
        what: The piece, such as "monitor Widths".
        fresh: Whether the names must not be those that each line of the log has already.

    Raises:
        UsageError: it is no mapping from texts to numbers, or a name is taken.
    """
    if not isinstance(found, Mapping):
        raise UsageError(
            f"The {what} returned {found!r}; it returns numbers by name, such as {{'width': 8.0}}, or {{}} for none."
        )
    told: dict[str, float] = {}
    for name, value in found.items():
        if not isinstance(name, str) or not _is_number(value):
            raise UsageError(f"The {what} returned {name!r}: {value!r}; it returns numbers by name, each one number.")
        if fresh and name in _OF_THE_LOG:
            raise UsageError(f"The {what} returned {name!r}, which every line of the log has; give it another name.")
        told[name] = float(value)
    return told


def _is_number(value: object) -> bool:
    return (isinstance(value, Tensor) and value.numel() == 1) or isinstance(value, Real)
