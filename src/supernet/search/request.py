"""What a search is asked for: as keywords, and as it stands in `search.json` from before its first result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

import msgspec

from supernet.errors import UsageError
from supernet.io.files import read_json, write_json
from supernet.search.constraints import Bounds, Constraints
from supernet.search.survey import Survey
from supernet.search.task import Wrap
from supernet.space import Arch
from supernet.train.recipe import describe

__all__ = ["Begun", "Request"]

FILE_NAME = "search.json"

Progress: TypeAlias = Callable[[int, int, str], None]
Announce: TypeAlias = Callable[[Survey], None]


class Request(TypedDict, total=False):
    """The keywords of `search.run`, which documents them."""

    objectives: str | Sequence[str]
    constraints: Mapping[str, Bounds] | Constraints | None
    budget: int
    seed: int
    initial: Sequence[Arch]
    out: Path | str | None
    resume: bool
    progress: Progress | None
    announce: Announce | None
    wrap: Wrap | None


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """How a search was begun, the content of `search.json`.

    Args:
        searcher: The searcher as `{"piece": "module:name", …}` with its settings.
        space: Fingerprint of the space that is searched.
        objectives: Names of the quantities that are optimised.
        constraints: Bounds [low, high] by the name of a quantity.
        budget: Largest number of evaluations, of the latest start.
        seed: Seed of everything random.
        initial: Architectures that the search begins with, as options by choice.
        evaluator: How values are measured, where the evaluator says so.
        wrap: Settings of what goes on beside the search.
    """

    searcher: dict[str, Any]
    space: str
    objectives: list[str]
    constraints: dict[str, tuple[float | None, float | None]]
    budget: int
    seed: int
    initial: list[dict[str, Any]] = []
    evaluator: dict[str, Any] | None = None
    wrap: dict[str, Any] | None = None

    @classmethod
    def read(cls, folder: Path | str) -> Begun | None:
        """How the search in a folder was begun; None where none was.

        Raises:
            RunError: `search.json` is damaged.
        """
        return read_json(Path(folder) / FILE_NAME, cls)

    def write(self, folder: Path) -> None:
        """Write `search.json`."""
        write_json(folder / FILE_NAME, self)

    def check_resumed_by(self, other: Begun, path: Path) -> None:
        """Refuse to go on with other settings; the budget may change.

        Raises:
            UsageError: settings differ; names each of them with both values.
        """
        mine, theirs = _flat(self), _flat(other)
        names = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
        for piece in ("searcher", "wrap"):  # the settings of two pieces are not comparable
            if piece in names:
                names = [name for name in names if not name.startswith(f"the {piece}'s ")]
        if names:
            told = "; ".join(f"{name} {_text(mine.get(name))}, not {_text(theirs.get(name))}" for name in names)
            raise UsageError(
                f"{path} was begun with {told}. Resume it with the former, or search anew in another folder."
            )


def described(piece: object) -> dict[str, Any]:
    """A piece as JSON: `{"piece": "module:name", …}` with the settings of a dataclass."""
    settings = describe(piece)
    kind = type(piece)
    return {**(settings if isinstance(settings, dict) else {}), "piece": f"{kind.__module__}:{kind.__qualname__}"}


def _flat(begun: Begun) -> dict[str, Any]:
    """Every setting by the name that a user knows, as JSON reads it back."""
    told = json.loads(json.dumps(msgspec.to_builtins(begun), default=str))
    searcher, wrap = told["searcher"], told["wrap"] or {}
    flat = {name: told[name] for name in ("space", "objectives", "seed", "initial")}
    for name, piece in (("searcher", searcher), ("wrap", wrap)):
        flat |= {name: piece.pop("piece", None)} | {f"the {name}'s {setting}": piece[setting] for setting in piece}
    flat |= {f"the constraint on {name}": bounds for name, bounds in told["constraints"].items()}
    return flat | {f"the evaluator's {name}": value for name, value in (told["evaluator"] or {}).items()}


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if value not in (None, []) else "none"
    return text if len(text) <= 80 else f"{text[:77]}…"
