"""Architectures as short texts, for tables that people read and write."""

from __future__ import annotations

import json
from collections.abc import Callable

from supernet.errors import UsageError
from supernet.space import Arch, Space


def arch_to_text(arch: Arch) -> str:
    """The benchmark's own string where the space has one, else `choice=option;choice=option`.

    JSON where names or options of the space would be ambiguous in the latter.

    >>> from supernet import Choice
    >>> space = Space([Choice("depth", (1, 2)), Choice("kernel", (3, 5))])
    >>> arch_to_text(space.largest())
    'depth=2;kernel=5'
    >>> text_to_arch(space, "kernel=3; depth=2"), text_to_arch(space, '{"depth": 2, "kernel": 3}')
    (Arch(depth=2, kernel=3), Arch(depth=2, kernel=3))
    """
    language = _language(arch.space)
    if language is not None:
        return language[0](arch)
    if _is_plain(arch.space):
        return ";".join(f"{name}={option}" for name, option in arch.options().items())
    return json.dumps(arch.options(), ensure_ascii=False)


def text_to_arch(space: Space, text: str) -> Arch:
    """The architecture that a text describes: the benchmark's string, JSON, or `choice=option;choice=option`.

    Raises:
        UsageError: it is none of these, or not of this space.
    """
    text = text.strip()
    if text.startswith("{"):
        return space.arch(_json(text))
    language = _language(space)
    if "=" not in text and language is not None:
        return language[1](space, text)
    decisions = {}
    for part in text.split(";"):
        name, equals, written = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise UsageError(
                f"{text[:80]!r} is not an architecture. Write 'choice=option;choice=option', or JSON; the choices are "
                f"{', '.join(space.names)}."
            )
        options = {str(option): option for option in space.allowed(name)}
        if written not in options:
            raise UsageError(f"The choice {name!r} has no option {written!r}; it allows {', '.join(options)}.")
        decisions[name] = options[written]
    return space.arch(decisions)


def _json(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{text[:80]!r} is not valid JSON: {error}.") from error
    assert isinstance(value, dict)  # it starts with a brace
    decisions = value.get("decisions", value)
    if not isinstance(decisions, dict):
        raise UsageError(f'{text[:80]!r} is not an architecture in JSON; write {{"choice": option, …}}.')
    return decisions


def _is_plain(space: Space) -> bool:
    names = [*space.names, *(str(option) for choice in space.choices for option in choice.options)]
    clear = not any(set(name) & set(';="{') or name != name.strip() or not name for name in names)
    return clear and all(len({str(option) for option in c.options}) == len(c.options) for c in space.choices)


def _language(space: Space) -> tuple[Callable[[Arch], str], Callable[[Space, str], Arch]] | None:
    """How to write and read the strings of the benchmark that this space belongs to."""
    from supernet.judge.truth import size_space
    from supernet.zoo.cells import nas_bench_201, nas_bench_201_index
    from supernet.zoo.chains import nas_bench_macro

    options = {choice.options for choice in space.choices}
    if space.names == nas_bench_201.EDGES and options == {nas_bench_201.OPS}:
        return nas_bench_201_index.nasbench201_string, nas_bench_201_index.nasbench201_arch
    if space.names == nas_bench_macro.LAYERS and options == {nas_bench_macro.OPS}:
        return nas_bench_macro.nasbench_macro_string, nas_bench_macro.nasbench_macro_arch
    if space.names == size_space.LAYERS and options == {size_space.WIDTHS}:
        return size_space.size_string, size_space.size_arch
    return None
