"""What modules inside a network return, seen for the time of a pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from torch import Tensor, nn

from supernet.errors import UsageError


class _EnoughError(Exception):
    """Ends a pass whose rest nobody needs."""


@contextmanager
def tapped(module: nn.Module, names: Sequence[str], *, enough: bool = False) -> Iterator[Mapping[str, Tensor]]:
    """Keep what the named modules return, by name, in the mapping that is given; no hook is left behind.

    A module that does not run has no entry, one that runs several times has that of its last run.

    Args:
        module: The network.
        names: Names of modules inside it, as `named_modules` has them; `"name:input"` is what enters the module.
        enough: Whether the block ends as soon as every named module has run once: the rest of the pass is left out,
            and so is what the block says after it.

    Raises:
        UsageError: there is no module of this name, or it takes or returns something else than a tensor.
    """
    found: dict[str, Tensor] = {}
    handles = []
    inside = dict(module.named_modules()) if names else {}
    try:
        for name in names:
            at, _, side = name.partition(":")
            if at not in inside or side not in ("", "input"):
                raise UsageError(
                    f"There is no module {at!r} to tap in {type(module).__name__}. Give a name of `named_modules()`, "
                    "or name:input for what enters it."
                )
            handles.append(inside[at].register_forward_hook(partial(_keep, found, name, len(names) if enough else 0)))
        yield found
    except _EnoughError:
        pass
    finally:
        for handle in handles:
            handle.remove()


def _keep(
    found: dict[str, Tensor], name: str, enough: int, _: nn.Module, given: tuple[Tensor, ...], result: Tensor
) -> None:
    seen: object = next(iter(given), None) if name.endswith(":input") else result
    if not isinstance(seen, Tensor):
        raise UsageError(
            f"What was to be tapped at {name!r} is a {type(seen).__name__} and no tensor. Tap a module inside it, or "
            "the one before it."
        )
    found[name] = seen
    if len(found) == enough:
        raise _EnoughError
