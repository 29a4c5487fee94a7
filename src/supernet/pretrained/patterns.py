"""Which names may vary, said by patterns."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from supernet.errors import UsageError


@dataclass(frozen=True)
class Patterns:
    """Names that are meant by patterns, as a shell has them.

    Attributes:
        include: Patterns of names that are meant.
        exclude: Patterns of names that are not, whatever else is.
    """

    include: tuple[str, ...]
    exclude: tuple[str, ...]

    @staticmethod
    def of(include: Sequence[str] | str, exclude: Sequence[str] | str) -> Patterns:
        """What was given as patterns, or as one pattern.

        Raises:
            UsageError: a pattern is no text.
        """
        return Patterns(_texts("include", include), _texts("exclude", exclude))

    def wants(self, name: str) -> bool:
        """Whether a name is meant."""
        return _any(name, self.include) and not _any(name, self.exclude)

    def check(self, names: Collection[str], what: str) -> None:
        """Refuse a pattern that names nothing, as one that is mistyped does.

        Args:
            names: Every name that there is.
            what: What has these names, in the plural, such as "dimensions of ResNet".

        Raises:
            UsageError: a pattern fits none of them.
        """
        for label, patterns in (("include", self.include), ("exclude", self.exclude)):
            for pattern in patterns:
                if pattern != "*" and not any(fnmatch.fnmatchcase(name, pattern) for name in names):
                    raise UsageError(
                        f"{label} has {pattern!r}, which fits none of the {what}: {_near(pattern, names)}."
                    )


def _texts(label: str, given: object) -> tuple[str, ...]:
    patterns = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (given,)
    wrong = [pattern for pattern in patterns if not isinstance(pattern, str)]
    if wrong:
        raise UsageError(f"{label} has {wrong[0]!r}, which is no pattern; give texts, such as ('layer4.*',).")
    return tuple(pattern for pattern in patterns if isinstance(pattern, str))


def _any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _near(pattern: str, names: Collection[str]) -> str:
    """The names most like what a pattern may have meant, or the first that there are."""
    bare = pattern.strip("*.")
    if beneath := [name for name in names if bare and name.startswith(f"{bare}.")]:
        return f"{beneath[0]} is one, which {bare + '.*'!r} names"
    if near := difflib.get_close_matches(bare, names, n=3, cutoff=0.5):
        return f"{' or '.join(near)} may be meant"
    shown = list(names)[:8]
    return f"there are {', '.join(shown) or 'none'}{', …' if len(names) > len(shown) else ''}"
