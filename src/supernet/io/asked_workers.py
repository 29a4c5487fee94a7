"""What `--workers` says: how many processes work side by side, and where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from supernet.errors import UsageError

_RAY = re.compile(r"ray(?::(?P<count>\d+))?")
_CLUSTER = re.compile(r"(?P<address>ray://[^/\s]+:\d+)(?:/(?P<count>\d+))?")


@dataclass(frozen=True)
class AskedWorkers:
    """The workers that are asked for.

    >>> AskedWorkers.of("4")
    AskedWorkers(engine='local', count=4, address=None)
    >>> AskedWorkers.of("ray:8")
    AskedWorkers(engine='ray', count=8, address=None)
    >>> AskedWorkers.of("ray://head:10001/8")
    AskedWorkers(engine='ray', count=8, address='ray://head:10001')

    Attributes:
        engine: Processes of this machine, or workers of a Ray cluster.
        count: Number of workers; None: as many as the cluster has processors.
        address: The address of the cluster; None: that of `RAY_ADDRESS`, of the cluster that runs on this machine, or
            one that is started here.
    """

    engine: Literal["local", "ray"]
    count: int | None = None
    address: str | None = None

    @classmethod
    def of(cls, value: int | str, place: str = "workers") -> AskedWorkers:
        """Read what a user has written.

        Args:
            value: A number, `ray`, `ray:N`, `ray://HOST:PORT` or `ray://HOST:PORT/N`.
            place: What the value is called in the error.

        Raises:
            UsageError: it is none of these, or there is no worker.
        """
        text = str(value).strip()
        if text.isdecimal():
            found = cls("local", int(text))
        elif (match := _RAY.fullmatch(text) or _CLUSTER.fullmatch(text)) is not None:
            parts = match.groupdict()
            count = None if parts["count"] is None else int(parts["count"])
            found = cls("ray", count, parts.get("address"))
        else:
            raise UsageError(
                f"{place} is {value!r}; give a number of processes of this machine, such as 4, or workers of a Ray "
                "cluster: ray, ray:8, ray://HOST:PORT or ray://HOST:PORT/8."
            )
        if found.count is not None and found.count < 1:
            raise UsageError(f"{place} is {value!r}, which is nobody to do the work; give at least 1.")
        return found

    @property
    def written(self) -> int | str:
        """As it is written in a configuration: a number, or the text for Ray."""
        if self.engine == "local":
            return 1 if self.count is None else self.count
        if self.address is not None:
            return self.address if self.count is None else f"{self.address}/{self.count}"
        return "ray" if self.count is None else f"ray:{self.count}"

    @property
    def alone(self) -> bool:
        """Whether this process does the work itself."""
        return self.engine == "local" and self.count == 1
