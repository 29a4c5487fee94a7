"""One thing that can be asked for by name, and how it is imported."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from types import BuiltinFunctionType
from typing import Any, Literal, TypeAlias, get_args

from supernet.errors import UsageError
from supernet.paper import Paper

Kind: TypeAlias = Literal[
    "methods",
    "spaces",
    "data",
    "tasks",
    "pieces",
    "monitors",
    "searchers",
    "predictors",
    "proxies",
    "tables",
    "formats",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


NOUNS: dict[Kind, str] = {
    "methods": "method",
    "spaces": "space",
    "data": "data set",
    "tasks": "task",
    "pieces": "piece",
    "monitors": "monitor",
    "searchers": "searcher",
    "predictors": "predictor",
    "proxies": "proxy",
    "tables": "table",
    "formats": "format",
}
_OWN = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class Entry:
    """Something that can be asked for by name.

    Args:
        kind: The kind of thing, such as `"methods"`.
        name: Name by which it is asked for.
        module: The module that defines it.
        attribute: Name of the function or class in that module.
        family: The folder it stands in, such as `single_path`; empty for what stands in none.
        summary: First line of its docstring.
        papers: Where it comes from: the constant `PAPER` of its module.
        origin: The distribution that brings it.
    """

    kind: Kind
    name: str
    module: str
    attribute: str
    family: str = ""
    summary: str = ""
    papers: tuple[Paper, ...] = ()
    origin: str = "supernet"

    @property
    def where(self) -> str:
        """`module:name`, by which it can always be asked for."""
        return f"{self.module}:{self.attribute}"

    def load(self) -> Any:
        """Import it.

        Raises:
            UsageError: it cannot be imported, which only happens to what other packages bring.
        """
        return imported(self.where, f"The {NOUNS[self.kind]} {self.name!r} of the package {self.origin}")


def is_own(name: str) -> bool:
    """Whether a name is of the form `module:name`."""
    return ":" in name


def imported(where: str, what: str) -> Any:
    """What `module:name` says.

    Raises:
        UsageError: it is not of this form, or cannot be imported, or is built into Python.
    """
    if not _OWN.fullmatch(where):
        raise UsageError(f"{what} is not of the form module:name; name a module and what it defines, as in nets:build.")
    module, _, attribute = where.partition(":")
    try:
        value: Any = importlib.import_module(module)
        for part in attribute.split("."):
            value = getattr(value, part)
    except Exception as error:  # whatever the foreign module raises, the user is to hear of it in a sentence
        raise UsageError(
            f"{what} could not be imported from {where}: {_told(error)}. Give module:name, with the module importable "
            "from here."
        ) from error
    if isinstance(value, BuiltinFunctionType) or not callable(value):
        described = "a function of Python itself" if callable(value) else f"a value of the type {type(value).__name__}"
        raise UsageError(f"{what} is {described}; name a function or a class that builds what is asked for.")
    return value


def _told(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".") or "no reason given"
    return text if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: {text}"
