"""Architectures as text: `depth=2,stage1.kernel=3`, short and safe in a shell."""

from __future__ import annotations

import ast
import difflib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from supernet.errors import UsageError

if TYPE_CHECKING:
    from supernet.space.arch import Arch
    from supernet.space.space import Space

_LISTED = 12
_ARROWED = re.compile(r"[\w./+@<>-]+", re.ASCII)


def name_text(name: str) -> str:
    """A name as it stands in the text of an architecture.

    Letters, digits and `_ . - / + @` stand for themselves. Whatever means something to the text or to a shell is
    percent-encoded as in an address (RFC 3986), so that no name needs quotation marks.

    >>> name_text("stage1.kernel"), name_text("1<-0"), name_text("a, b=c")
    ('stage1.kernel', '1%3C-0', 'a%2C%20b%3Dc')
    """
    return quote(name, safe="/+@", errors="surrogatepass").replace("~", "%7E")


def option_text(option: Any) -> str:
    """An option as it stands in the text of an architecture: a name, a number, True or False, a tuple with colons.

    >>> [option_text(option) for option in ("conv3x3", 0.5, True, (3, 5), (3,), ((3, 5), 1))]
    ['conv3x3', '0.5', 'True', '3:5', '3:', '3%3A5:1']
    """
    if isinstance(option, tuple):
        items = [name_text(option_text(item)) if isinstance(item, tuple) else option_text(item) for item in option]
        return ":".join(items) if len(items) > 1 else "".join(items) + ":"
    return name_text(option) if isinstance(option, str) else str(option)


def listed(known: Sequence[object], *, wanted: object = None) -> str:
    """The end of a sentence that lists what there is, and names what is most like that which was wanted.

    >>> listed(["depth", "kernel"], wanted="kernal"), listed(range(100))
    ("'depth', 'kernel'. Did you mean 'kernel'", '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 88 more')
    """
    said = ", ".join(map(repr, known[:_LISTED])) or "none"
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    alike = difflib.get_close_matches(str(wanted), texts := {str(item): item for item in known}, n=1)
    return f"{said}{more}" + (f". Did you mean {texts[alike[0]]!r}" if alike and wanted is not None else "")


def write(arch: Arch) -> str:
    """The text of an architecture, inactive choices left out; `parse` reads it."""
    columns = zip(arch.space.choices, arch.code, arch.active, strict=True)
    return ",".join(f"{name_text(choice.name)}={choice.texts[code]}" for choice, code, active in columns if active)


def readable(arch: Arch) -> str:
    """The same for people, in a sentence: `<` and `>` stand as they are.

    >>> from supernet.space import Choice, Space
    >>> readable(Space([Choice("1<-0", ("skip", "conv"))]).largest())
    '1<-0=conv'
    """
    columns = zip(arch.space.choices, arch.code, arch.active, strict=True)
    found = ((choice.name, choice.options[code], choice.texts[code]) for choice, code, active in columns if active)
    return ",".join(f"{_arrowed(name, name_text(name))}={_arrowed(o, text)}" for name, o, text in found)


def in_shell(arch: Arch) -> str:
    """The same with quotation marks around it, as a shell needs them where it has `<` or `>`."""
    return shlex.quote(readable(arch))


def _arrowed(said: object, text: str) -> str:
    return said if isinstance(said, str) and _ARROWED.fullmatch(said) else text


def parse(space: Space, text: str) -> Arch:
    """The architecture that a text describes.

    Args:
        space: The space it belongs to, or a sub-space.
        text: What `str(arch)` gives, such as `depth=2,kernel=3` (names and options may also stand there as they are,
            where they hold no comma and no equals sign); or a mapping from choice to option, as JSON or as Python
            writes it; or the JSON of `Arch.to_json`.

    Raises:
        UsageError: it is none of these, decides a choice twice, or is not in the space.
    """
    text = text.strip()
    if text.startswith("{"):
        value = _mapping(text)
        return space.from_json(value) if isinstance(value.get("decisions"), Mapping) else space.arch(value)
    names = {name: name for name in space.names} | {name_text(name): name for name in space.names}
    options: dict[str, Any] = {}
    for part in text.split(",") if text else []:
        name, equals, written = (piece.strip() for piece in part.partition("="))
        if not equals:
            whole = readable(space.smallest())
            example = whole if len(whole) <= 120 else f"{whole[:120].rpartition(',')[0]},…"
            raise UsageError(
                f"{text[:80]!r} is not an architecture. Write choice=option,choice=option, such as "
                f"{example!r}, or a mapping as JSON."
            )
        name = names.get(name, name)
        allowed = space.allowed(name)
        if name in options:
            raise UsageError(f"The text decides {name!r} twice. Give each choice one option.")
        spelt = {str(option): option for option in allowed} | {option_text(option): option for option in allowed}
        if written not in spelt:
            raise no_option(name, written, allowed)
        options[name] = spelt[written]
    return space.arch(options)


def no_option(name: str, given: object, allowed: Sequence[object]) -> UsageError:
    """The error that says which options of a choice there are."""
    return UsageError(f"The choice {name!r} has no option {given!r}; it allows {listed(allowed, wanted=given)}.")


def _mapping(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except UsageError:
        raise
    except (ValueError, RecursionError) as error:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise UsageError(
                f'{text[:80]!r} is not valid JSON: {error}. Write {{"choice": option, …}}, or choice=option,…'
            ) from error
    if not isinstance(value, Mapping):
        raise UsageError(f'{text[:80]!r} is not a mapping from choices to options; write {{"choice": option, …}}.')
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise UsageError("The JSON names a choice twice. Give each choice one option.")
    return value
