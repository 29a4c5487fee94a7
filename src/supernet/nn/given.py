"""What is given for a supernet, checked where a person calls: an attribute error would not say what to give."""

from __future__ import annotations

from torch import nn

from supernet.errors import UsageError
from supernet.nn.supernet import Supernet


def check_supernet(given: object) -> None:
    """Refuse what is no supernet.

    Raises:
        UsageError: It is a plain module, or no network at all; says how it becomes one.
    """
    if isinstance(given, Supernet):
        return
    if isinstance(given, nn.Module):
        raise UsageError(
            f"A Supernet is needed, and {type(given).__name__} is a plain module. Wrap a module with choices, "
            "Supernet(module); one without becomes a supernet by supernet.elastic(model, example)."
        )
    raise UsageError(
        f"A Supernet is needed, and a {type(given).__name__} was given: Supernet(module) makes one of a module with "
        "choices, supernet.zoo has spaces of papers."
    )
