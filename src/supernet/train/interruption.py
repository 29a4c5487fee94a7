"""Ctrl-C and SIGTERM take effect between two steps, so that no checkpoint holds half a step."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import torch

from supernet.train.processes.exchange import exchange
from supernet.train.processes.launch import Processes

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """While entered, the first SIGINT or SIGTERM is only noted; the next one acts as it did before.

    Outside the main thread, where Python handles no signals, and for signals that are ignored, nothing changes.
    """

    def __init__(self) -> None:
        self.noted = False
        self._before: dict[signal.Signals, Any] = {}

    def agreed(self, fabric: Processes) -> bool:
        """Whether to stop: every process gets the same answer at the same step, and none waits for another."""
        if fabric.world_size == 1:
            return self.noted
        noted = torch.tensor(float(self.noted), device=fabric.device)
        with exchange():
            return float(torch.as_tensor(fabric.all_reduce(noted, reduce_op="sum"))) > 0

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.noted = True
        signal.signal(number, self._before[signal.Signals(number)])

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if handler not in (signal.SIG_IGN, None):
                    self._before[number] = handler
                    signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
