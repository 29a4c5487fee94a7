"""An architecture as a user writes it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch


def read_arch(net: Supernet, text: str) -> Arch:
    """An architecture from the command line: a JSON file, JSON text, or `name=option,name=option`.

    Raises:
        UsageError: it is none of these, or not in the space.
    """
    path = Path(text)
    with contextlib.suppress(OSError):
        if path.is_file():
            text = path.read_text()
    if text.lstrip().startswith("{"):
        try:
            value = json.loads(text)
        except ValueError as error:
            raise UsageError(f"The architecture is not valid JSON: {error}.") from error
        return net.space.from_json(value) if "decisions" in value else net.space.arch(value)
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(separator for _, separator, _ in pairs):
        raise UsageError(
            f"An architecture is a JSON file, JSON text or 'choice=option,choice=option'; got {text[:60]!r}."
        )
    options: dict[str, Any] = {}
    for name, _, written in pairs:
        allowed = {str(option): option for option in net.space.allowed(name.strip())}
        if written.strip() not in allowed:
            raise UsageError(f"The choice {name.strip()!r} has no option {written!r}; it allows {', '.join(allowed)}.")
        options[name.strip()] = allowed[written.strip()]
    return net.space.arch(options)


def arch_text(arch: Arch) -> str:
    """An architecture as the text that `read_arch` reads."""
    return json.dumps(arch.options(), ensure_ascii=False)
