"""A score whose first measurement by a worker kills that worker."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from supernet.measure import Subnet, scores


@dataclass(frozen=True)
class Deadly:
    """The loss on validation images, negative; kills one worker, which leaves a file.

    Attributes:
        flag: The file; empty: nobody dies.
        driver: The process that is spared.
    """

    flag: str
    driver: int
    name: str = "deadly"
    goal: str = "max"
    unit: str = ""

    def __call__(self, subnet: Subnet) -> float:
        if self.flag and os.getpid() != self.driver and not Path(self.flag).exists():
            Path(self.flag).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return -scores(subnet.net, subnet.arch, subnet.data).loss
