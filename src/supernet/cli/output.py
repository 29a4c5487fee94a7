"""Where a command's words go: its result to standard output, with --json as one document and all else beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from cyclopts import Group, Parameter

_OUTPUT = Group("Output", sort_key=8)

Json = Annotated[
    bool,
    Parameter(
        name="--json",
        negative=(),
        show_default=False,
        group=_OUTPUT,
        help="Print the result as one JSON document on standard output, and everything else on standard error.",
    ),
]
Verbose = Annotated[
    bool,
    Parameter(
        negative=(),
        show_default=False,
        group=_OUTPUT,
        help="Print the statistical sentences behind the verdict too.",
    ),
]


@dataclass(frozen=True)
class Output:
    """What a command prints.

    Attributes:
        json: Whether the result is one JSON document, and nothing else goes to standard output.
    """

    json: bool = False

    def say(self, text: str) -> None:
        """A sentence on the way."""
        stream = sys.stderr if self.json else sys.stdout
        stream.write(f"{text}\n")
        stream.flush()

    def result(self, value: Any, text: str = "") -> None:
        """What was found: for programs, and for people, where they have not been told on the way."""
        if self.json:
            text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
        if text:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()


def points(values: Iterable[Mapping[str, float]]) -> str:
    """The points of a front, a line each."""
    return "\n".join("  " + ", ".join(f"{name} {number:,.6g}" for name, number in row.items()) for row in values)


def _plain(value: Any) -> Any:
    return str(value) if hasattr(value, "__fspath__") else msgspec.to_builtins(value)
