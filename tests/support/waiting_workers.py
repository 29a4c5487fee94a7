"""What worker processes do that never end by themselves."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def begin(folder: str) -> Callable[[str], None]:
    """Say which process this is; it will be busy."""
    (Path(folder) / f"{os.getpid()}.pid").touch()
    return work


def work(folder: str) -> None:
    """Be busy for longer than any test, in the main thread."""
    end = time.monotonic() + 600
    while time.monotonic() < end:
        time.sleep(0.01)
