"""The drawing of an architecture, as the files of a run keep it."""

from __future__ import annotations

from typing import Any

from supernet.nn import Supernet
from supernet.space import Arch


def diagram_of(net: Supernet, arch: Arch) -> dict[str, Any] | None:
    """What the network's own `diagram(arch)` draws, as JSON; None where it has none."""
    draw = getattr(net.module, "diagram", None)
    drawn = draw(arch) if callable(draw) else None
    return None if drawn is None else drawn.to_json()
