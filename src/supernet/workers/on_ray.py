"""Workers on a Ray cluster: this machine, or many."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from signal import Signals
from typing import Any

import numpy as np
import torch

from supernet.errors import RunError, UsageError, require
from supernet.io.allocator import keep_freed_memory
from supernet.workers._protocol import Died, Done, Event, Outcome, Ready
from supernet.workers.local import done, sendable
from supernet.workers.work import Call, Work, begun

PATIENCE_SECONDS = 300.0
"""How long a cluster may take to start the first worker."""


@dataclass(frozen=True)
class Ray:
    """Workers of a [Ray](https://docs.ray.io) cluster, each an actor that reserves a processor.

    What they are given is put once into the cluster's object store, which brings it once to every machine. The package
    must be installed on all of them, with the same versions of torch and Ray.

    Attributes:
        count: Number of workers; None: as many as the cluster has processors (or accelerators, where the work needs
            one).
        address: Such as `ray://head:10001`; None: that of `RAY_ADDRESS`, of the cluster that runs on this machine, or
            one that is started here and ends with this process.
    """

    count: int | None = None
    address: str | None = None

    def check(self) -> None:
        """Check that Ray is installed.

        Raises:
            RunError: it is not.
        """
        require("ray", "ray", "Work on a Ray cluster")

    def open(self, work: Work, most: int | None = None) -> RayTeam:
        """A team that does this work.

        Raises:
            UsageError: the work cannot be sent, or the cluster has fewer places than were asked for.
            RunError: Ray is not installed, or the cluster does not answer.
        """
        packed = work.packed()
        with_cluster = Cluster(self)
        try:
            count = with_cluster.places(on_gpu=work.on_gpu)
            return RayTeam(with_cluster, count if most is None else max(1, min(count, most)), work, packed)
        except BaseException:
            with_cluster.close()
            raise


class Cluster:
    """The connection to a cluster: an existing one of this process, or one that is made, and ended by `close`.

    Raises:
        RunError: Ray is not installed, or the cluster does not answer.
    """

    def __init__(self, asked: Ray) -> None:
        asked.check()
        # By default Ray takes accelerators from processes that reserve none, and warns that it will not any more.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        self.ray: Any = import_module("ray")
        self._asked, self._ours = asked, not self.ray.is_initialized()
        if self._ours:
            try:
                self.ray.init(address=asked.address, log_to_driver=False, logging_level="ERROR")
            except Exception as error:
                where = asked.address or os.environ.get("RAY_ADDRESS") or "this machine"
                raise RunError(
                    f"The Ray cluster of {where} does not answer: {str(error).splitlines()[0]} See `ray status` there; "
                    "or work in processes of this machine (--workers 4)."
                ) from error

    def places(self, *, on_gpu: bool = False) -> int:
        """Number of workers: what was asked for, or as many as there is room for.

        Raises:
            UsageError: there is less room than was asked for, or none.
        """
        kind = "GPU" if on_gpu else "CPU"
        room = int(self.ray.cluster_resources().get(kind, 0))
        count = room if self._asked.count is None else self._asked.count
        if count > room or count < 1:
            asked = "Workers were" if self._asked.count is None else f"{self._asked.count} workers were"
            raise UsageError(
                f"{asked} asked for, of a {kind} each, and the Ray cluster has {room} of these. Ask for at most as "
                "many, or add machines to it (ray start --address=…)."
            )
        return count

    @property
    def address(self) -> str:
        """Where other processes of this machine find the cluster."""
        if self._asked.address is not None:
            return self._asked.address
        found: str = self.ray.get_runtime_context().gcs_address
        return found

    def close(self) -> None:
        """Leave the cluster, and end it if it was started here."""
        if self._ours:
            self.ray.shutdown()


class RayTeam:
    """Actors, and for each what it was last asked."""

    def __init__(self, cluster: Cluster, count: int, work: Work, packed: bytearray) -> None:
        self.count = count
        self._cluster, self._ray = cluster, cluster.ray
        self._given = self._ray.put(np.frombuffer(packed, dtype=np.uint8))
        resources = {"num_gpus": 1, "num_cpus": 1} if work.on_gpu else {"num_cpus": 1}
        self._kind = self._ray.remote(**resources, max_restarts=0, max_task_retries=0)(_Actor)
        self._threads = work.threads
        self._actors: dict[int, Any] = {}
        self._asked: dict[Any, tuple[int, bool]] = {}
        self._anybody = False

    def start(self, seat: int) -> None:
        """Start the actor of a seat."""
        self._actors[seat] = self._kind.remote()
        self._asked[self._actors[seat].begin.remote(self._given, self._threads)] = seat, True

    def give(self, seat: int, task: Any) -> None:
        """Send an actor its task."""
        self._asked[self._actors[seat].do.remote(task)] = seat, False

    def wait(self) -> Sequence[Event]:
        """What has happened since.

        Raises:
            RunError: the cluster starts no worker.
        """
        patience = None if self._anybody else PATIENCE_SECONDS
        ready, _ = self._ray.wait(list(self._asked), num_returns=1, timeout=patience)
        if not ready:
            raise RunError(
                f"The Ray cluster has started no worker in {PATIENCE_SECONDS:.0f} seconds: others use its processors. "
                "See `ray status`; wait for them, or ask for fewer workers."
            )
        self._anybody = True
        return [self._event(asked) for asked in ready]

    def _event(self, asked: Any) -> Event:
        seat, begins = self._asked.pop(asked)
        errors = self._ray.exceptions
        try:
            said = self._ray.get(asked)
        except errors.RayTaskError as error:  # what we call raises nothing, so the task could not be read
            return Done(seat, Outcome(error=sendable(RunError(f"A worker failed: {error}"))))
        except errors.RayError as error:
            self._actors.pop(seat)
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            return Died(seat, " ".join(lines[:1]) or type(error).__name__)
        return Ready(seat) if begins else Done(seat, said)

    def close(self) -> None:
        """Kill all actors and leave the cluster."""
        for actor in self._actors.values():
            with suppress(Exception):  # it has ended, or the cluster has
                self._ray.kill(actor)
        self._actors.clear()
        self._asked.clear()
        self._given = None
        self._cluster.close()


# -- on the cluster ------------------------------------------------------------------------------------------------


class _Actor:
    """A worker."""

    def begin(self, given: Any, threads: int) -> None:
        keep_freed_memory()
        torch.set_num_threads(threads)
        self._call: Call | None = None
        self._error: Exception | None = None
        try:
            self._call = begun(_copied(given))
        except Exception as error:
            self._error = sendable(error)

    def do(self, task: Any) -> Outcome:
        return Outcome(error=self._error) if self._call is None else done(self._call, task)


def _copied(given: np.ndarray[Any, Any]) -> memoryview:
    """The store's own memory must not be written to; this lies where torch would put it."""
    mine = torch.empty(len(given), dtype=torch.uint8).numpy()
    mine[:] = given
    return mine.data


class RayCommand:
    """A program that runs on some machine of the cluster, for as long as this object is held.

    Directories that it works in must be the same on all machines.

    Args:
        cluster: Where it runs.
        command: The arguments of Python there.
        environment: What is added to the environment there.
        log: The file that grows by what it says.
    """

    def __init__(self, cluster: Cluster, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._ray = cluster.ray
        kind = self._ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(_Commanded)
        self._actor = kind.remote(list(command), dict(environment), str(log))
        self._code: int | None = None
        self._asked: Any = None

    def poll(self) -> int | None:
        """The exit code, or None while it runs or waits for a place; that of SIGKILL where its machine has gone."""
        if self._code is None:
            self._asked = self._asked or self._actor.poll.remote()
            ready, _ = self._ray.wait([self._asked], timeout=0.1)  # nothing comes while it waits for a place
            if ready:
                self._asked = None
                try:
                    self._code = self._ray.get(ready[0])
                except self._ray.exceptions.RayError:
                    self._code = -Signals.SIGKILL
        return self._code

    def signal(self, number: Signals) -> None:
        """Send a signal to it and what it has started."""
        with suppress(Exception):
            self._ray.get(self._actor.signal.remote(int(number)), timeout=10.0)

    def close(self) -> None:
        """End it, if it has not."""
        self.signal(Signals.SIGKILL)
        with suppress(Exception):
            self._ray.kill(self._actor)


class _Commanded:
    def __init__(self, command: list[str], environment: dict[str, str], log: str) -> None:
        Path(log).parent.mkdir(parents=True, exist_ok=True)
        with Path(log).open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                stdin=subprocess.PIPE,  # closed where this actor ends
                stdout=said,
                stderr=said,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    def poll(self) -> int | None:
        return self._process.poll()

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
