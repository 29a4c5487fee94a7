"""The errors a user can meet. Each message says what was given, what is allowed and what to do next."""

from __future__ import annotations

from collections.abc import Iterator


class SupernetError(Exception):
    """Base of every error this package raises on purpose."""


class UsageError(SupernetError, ValueError):
    """The request cannot be carried out as it was made (command line: exit code 2)."""


class RunError(SupernetError, RuntimeError):
    """The request was sound, but carrying it out failed (command line: exit code 1)."""


class NotFiniteError(RunError):
    """A loss or a rating inside a training is not finite; a program may catch it, and go on otherwise."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it arose from, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def require(module: str, extra: str, purpose: str) -> None:
    """Check that an optional dependency can be imported.

    Raises:
        RunError: ``module`` is not installed; names the extra that brings it.
    """
    import importlib.util

    if importlib.util.find_spec(module) is None:
        raise RunError(
            f"{purpose} needs the package {module!r}, which is not installed. "
            f"Install it with: pip install 'supernet[{extra}]'"
        )
