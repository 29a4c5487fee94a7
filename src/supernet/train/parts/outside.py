"""Networks from outside that teach: files, directories of runs, or functions that build them."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import nn
from torch.export import ExportedProgram

from supernet.catalog.entry import imported
from supernet.errors import UsageError
from supernet.io.quiet import quiet
from supernet.io.run_directory import RunDirectory
from supernet.nn.initial_weights import digest_of
from supernet.nn.program import batch_of
from supernet.space import Arch

Network: TypeAlias = str | Path | Callable[[], nn.Module]
"""A file of `torch.export` (`.pt2`); the directory of a run, or of a retraining, as `"runs/a"`, or `"runs/a:best"` with
the architecture that is meant; or a function without arguments that builds a network with its weights, also by name,
`module:function`."""

PROGRAM = ".pt2"
_RUNS = "supernet.runs.teaching:of_run"  # what knows runs stands above and is named, as a function of the user's is
_HOW = f"Give a file ({PROGRAM}), the directory of a run, or module:function."


class Outside(NamedTuple):
    """A network from outside.

    Attributes:
        network: The network, in evaluation mode: a plain module; or where modules inside it are asked for, the
            supernet of a run.
        digest: What its weights are recognised by.
        arch: The architecture, of a supernet.
        batch: The number of examples that it takes at a time; None: any.
    """

    network: nn.Module
    digest: str
    arch: Arch | None = None
    batch: int | None = None


def opened(given: Network, *, inside: bool = False, sha256: str | None = None) -> Outside:
    """Read or build a network.

    Args:
        given: What says where it is.
        inside: Whether modules inside it are asked for by name, and not only what it returns.
        sha256: The digest that a file must have, in hexadecimal; None: any.

    Raises:
        UsageError: there is none, it cannot be read or built, or the digest is another.
    """
    if is_file(given):
        return _of_file(Path(str(given)).expanduser(), inside=inside, sha256=sha256)
    if (place := run_of(given)) is not None:
        found: Outside = imported(_RUNS, "What opens runs")(*place, inside=inside)
        return found
    if isinstance(given, Path):
        raise UsageError(f"The teacher {str(given)!r} is no directory, and no file that ends in {PROGRAM}. {_HOW}")
    name = given if isinstance(given, str) else getattr(given, "__qualname__", repr(given))
    built: Any = (_function(given) if isinstance(given, str) else given)()
    if not isinstance(built, nn.Module):
        raise UsageError(f"The teacher {name} builds a {type(built).__name__}; it has to return an nn.Module.")
    return Outside(built.eval(), digest_of(built.state_dict()))


def is_file(given: object) -> bool:
    """Whether a teacher is a program of `torch.export`, whose modes cannot be set."""
    if run_of(given) is not None:
        return False
    return isinstance(given, Path) or (isinstance(given, str) and given.endswith(PROGRAM))


def run_of(given: object) -> tuple[Path, str | None] | None:
    """The directory and the architecture that `"runs/a:best"` names; None where there is no such directory.

    What could be the name of a module, too, is a directory only if it holds a run.
    """
    if not isinstance(given, str | Path) or not str(given):
        return None
    if (whole := Path(given).expanduser()).is_dir():
        return whole, None
    name, _, arch = str(given).partition(":")
    place = Path(name).expanduser()
    if not name or not arch or not place.is_dir():
        return None
    module = all(part.isidentifier() for part in name.split("."))
    return None if module and not RunDirectory(place).is_run else (place, arch)


def is_network(given: object) -> bool:
    """Whether something can stand for a network at all."""
    return not isinstance(given, nn.Module) and (isinstance(given, str | Path) or callable(given))


def _of_file(path: Path, *, inside: bool, sha256: str | None) -> Outside:
    if not path.is_file() or path.suffix != PROGRAM:
        what = "is no file" if not path.is_file() else "is of another kind"
        raise UsageError(f"The teacher {str(path)!r} {what}; give a {PROGRAM} that `supernet export` wrote.")
    if sha256 is not None:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != sha256.lower():
            raise UsageError(f"The teacher {str(path)!r} has the digest {digest}, and {sha256} was asked for.")
    try:
        program = torch.export.load(path)
        network = _unflattened(program, path) if inside else program.module()
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"The teacher {str(path)!r} cannot be read ({error}); export it once more.") from error
    return Outside(network, digest_of(program.state_dict), batch=batch_of(program))


def _unflattened(program: ExportedProgram, path: Path) -> nn.Module:
    """The modules of a program by the names that they had when it was exported."""
    with quiet():
        network = torch.export.unflatten(program)
    returned = next(node for node in network.graph.nodes if node.op == "output").args[0]
    wanted = len(program.graph_signature.user_outputs)
    if isinstance(returned, list | tuple) and len(returned) > wanted:  # torch makes outputs of weights it cannot place
        raise UsageError(
            f"The teacher {str(path)!r} does not keep which module a computation belongs to, so that none can be "
            "tapped: `supernet export` writes a traced network. Give the directory of its run, as in runs/a or "
            "runs/a:best, or a function that builds the network."
        )
    return network


def _function(name: str) -> Callable[[], nn.Module]:
    module, _, function = name.partition(":")
    try:
        found: Callable[[], nn.Module] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"There is no teacher {name!r} ({error}). {_HOW}") from error
    return found
