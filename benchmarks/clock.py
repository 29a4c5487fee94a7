"""The processor's time between two moments, which other processes lengthen less than the wall's."""

from __future__ import annotations

import time


class Clock:
    """Seconds of the processor since it was asked last."""

    def __init__(self) -> None:
        self._last = time.process_time()

    def passed(self) -> float:
        before, self._last = self._last, time.process_time()
        return self._last - before
