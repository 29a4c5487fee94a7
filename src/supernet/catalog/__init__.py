"""What there is, by kind and name: methods, spaces, pieces, searchers, predictors, data sets, tables, formats ….

Nothing is registered. What belongs to a kind is seen in the sources, which are read and not imported, so that a listing
needs no PyTorch; what other packages offer is found by their entry points, whose groups are named `supernet.methods`,
`supernet.spaces` and so on.

| kind | what it is | where |
|---|---|---|
| `methods` | a public function named like its module, annotated `-> Recipe` | `methods/` |
| `spaces` | a public function annotated `-> Supernet` that needs no argument; small with its module's `TINY` | `zoo/` |
| `pieces` | a public frozen dataclass | the folders of `train/` but `monitors/` |
| `monitors` | a public frozen dataclass | `train/monitors/` |
| `searchers` | a public frozen dataclass, or a class that says its `name` | `search/searchers/` |
| `predictors` | a public frozen dataclass that has `fit` | `measure/predictors/` |
| `data` | a public function annotated `-> Data` or `-> ImageData` that needs no argument | `data/` |
| `tasks` | a public frozen dataclass | `tasks/` |
| `tables` | a public function `NAME_truth` annotated `-> Truth` that needs no argument | `judge/truth/` |
| `proxies` | a public frozen dataclass | `measure/proxies/` |
| `formats` | a public frozen dataclass | `deploy/formats/` |

`python -m supernet.catalog --write` brings the generated type stubs and the tables of the documents up to date, and
`--check` says which are stale.
"""

from __future__ import annotations

import difflib
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from supernet.catalog.entry import KINDS, NOUNS, Entry, Kind, imported, is_own
from supernet.catalog.sources import LAZY, exports, home, listed, named, names_of, offered, own, papers_of
from supernet.errors import UsageError

__all__ = [
    "KINDS",
    "LAZY",
    "Entry",
    "Kind",
    "entries",
    "exports",
    "find",
    "is_own",
    "lazy",
    "listed",
    "load",
    "names",
    "own",
    "papers_of",
    "tiny",
]


def entries(kind: Kind) -> tuple[Entry, ...]:
    """All of a kind, by family and name; what other packages bring comes last."""
    return (*own(kind), *offered(kind))


def names(kind: Kind) -> tuple[str, ...]:
    """The names of a kind, in the order of `entries`.

    >>> "spos" in names("methods"), "nasbench201" in names("spaces"), "Uniform" in names("pieces")
    (True, True, True)
    """
    return tuple(dict.fromkeys((*names_of(kind), *(entry.name for entry in offered(kind)))))


def find(kind: Kind, name: str) -> Entry:
    """What has this name.

    Raises:
        UsageError: nothing has it, or several packages give it to different things.

    >>> find("methods", "spos").family, find("methods", "spos").where
    ('single_path', 'supernet.methods.single_path.spos:spos')
    """
    found = [*named(kind, name), *(entry for entry in offered(kind) if entry.name == name)]
    if len(found) == 1:
        return found[0]
    noun = NOUNS[kind]
    if found:
        raise UsageError(
            f"The {noun} {name!r} is offered by the packages {' and '.join(entry.origin for entry in found)}. "
            f"Say which is meant, as module:name: {' or '.join(entry.where for entry in found)}."
        )
    known = list(names(kind))
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    few = len(known) <= 12
    listed = f"there are {', '.join(known)}" if few else f"supernet list {kind} names the {len(known)} there are"
    if near and not few:
        listed = f"did you mean {' or '.join(near)}? Otherwise {listed}"
    raise UsageError(f"There is no {noun} named {name!r}; {listed}. One of your own is given as module:name.")


def load(kind: Kind, name: str) -> Any:
    """The object that has this name, or that `module:name` says; modules beside the caller are found.

    Raises:
        UsageError: there is none, or it cannot be imported.
    """
    if not is_own(name):
        return find(kind, name).load()
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # a module beside the caller, as `python -m` would find it
    return imported(name, f"The {NOUNS[kind]} {name!r}")


def tiny(space: str) -> dict[str, Any]:
    """Options of a space, or of `module:name`, that make it small: what its module calls `TINY`, as JSON has it.

    Raises:
        UsageError: there is no such space, it cannot be imported, or its module says no such options.

    >>> tiny("nasbench201")
    {'channels': 8, 'cells': 1}
    """
    options = getattr(sys.modules[load("spaces", space).__module__], "TINY", None)
    if options is None:
        raise UsageError(
            f"The space {space!r} has no options by which it is tiny: its module has no TINY. Give its own options."
        )
    found: dict[str, Any] = json.loads(json.dumps(options))
    return found


def lazy(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package of this one that imports what it offers when it is asked for.

    What it offers is what `exports` says, and its `__all__` what `listed` says; types are in the generated stub.
    """
    room = package.rpartition(".")[2]

    def get(name: str) -> Any:
        if name == "__all__":
            return listed(room)
        module = None if name.startswith("_") else home(room, name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(module), name)
        setattr(sys.modules[package], name, value)
        return value

    def listing() -> list[str]:
        return sorted({*vars(sys.modules[package]), *exports(room)})

    return get, listing
