"""Workers by what `--workers` says."""

from __future__ import annotations

from supernet.io.asked_workers import AskedWorkers
from supernet.workers._protocol import Workers
from supernet.workers.local import Local
from supernet.workers.on_ray import Ray


def workers_of(asked: int | str | AskedWorkers) -> Workers | None:
    """The workers that are asked for; None: this process does the work itself.

    >>> workers_of(1)
    >>> workers_of("3")
    Local(count=3)

    Raises:
        UsageError: as `AskedWorkers.of`.
    """
    found = asked if isinstance(asked, AskedWorkers) else AskedWorkers.of(asked)
    if found.alone:
        return None
    return Ray(found.count, found.address) if found.engine == "ray" else Local(found.count or 1)
