"""Workers that are processes of this machine, and end with this process."""

from __future__ import annotations

import mmap
import os
import pickle
import signal
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process, reduction
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from threading import Thread
from typing import IO, Any

import torch

from supernet.errors import RunError
from supernet.io.allocator import keep_freed_memory
from supernet.workers._protocol import Died, Done, Event, Outcome, Ready
from supernet.workers.work import Call, Work, begun

_LOOK_EVERY_SECONDS = 1.0
_READY = "ready"


@dataclass(frozen=True)
class Local:
    """Processes of this machine.

    They start from nothing (`spawn`), so a script that opens a team needs `if __name__ == "__main__":`. What they are
    given lies once in memory, for all of them; a page of it is copied by a process that writes there.

    Attributes:
        count: Number of processes.
    """

    count: int

    def check(self) -> None:
        """There is nothing that could be missing."""

    def open(self, work: Work, most: int | None = None) -> LocalTeam:
        """A team that does this work.

        Raises:
            UsageError: it cannot be sent to another process.
            RunError: there is no room for it in the folder of temporary files.
        """
        return LocalTeam(self.count if most is None else max(1, min(self.count, most)), work)


class LocalTeam:
    """Processes with a pipe to each."""

    def __init__(self, count: int, work: Work) -> None:
        self.count = count
        self._threads = work.threads
        self._file = _unnamed(work.packed())
        self._running: dict[int, tuple[SpawnProcess, Connection[Any, Any]]] = {}

    def start(self, seat: int) -> None:
        """Start the process of a seat."""
        spawn = get_context("spawn")
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=_serve, args=(theirs, _Shared(self._file.fileno()), self._threads))
        process.start()
        theirs.close()  # so that ours ends with the process
        self._running[seat] = process, ours

    def give(self, seat: int, task: Any) -> None:
        """Send a process its task; one that has died is found by `wait`."""
        with suppress(OSError):
            self._running[seat][1].send(task)

    def wait(self) -> Sequence[Event]:
        """What has happened since."""
        while True:
            seats = {pipe: seat for seat, (_, pipe) in self._running.items()}
            events: list[Event] = []
            for pipe in connection.wait(list(seats), _LOOK_EVERY_SECONDS):
                seat = seats[pipe]  # type: ignore[index]
                try:
                    said = self._running[seat][1].recv()
                except (EOFError, OSError):
                    events.append(self._buried(seat))
                else:
                    events.append(Ready(seat) if said == _READY else Done(seat, said))
            # What a process has started may hold its end of the pipe open.
            quiet = set(self._running) - {event.seat for event in events}
            events += [self._buried(seat) for seat in sorted(quiet) if not self._running[seat][0].is_alive()]
            if events:
                return events

    def close(self) -> None:
        """Kill all processes."""
        for process, _ in self._running.values():
            process.kill()
        for seat in list(self._running):
            self._buried(seat)
        self._file.close()

    def _buried(self, seat: int) -> Died:
        process, pipe = self._running.pop(seat)
        process.join()
        pipe.close()
        reason = how_it_ended(process.exitcode or 0)
        process.close()
        return Died(seat, reason)


def how_it_ended(code: int) -> str:
    """The end of a process in words, by its exit code.

    >>> how_it_ended(-9)
    'killed by SIGKILL (out of memory?)'
    """
    if code >= 0:
        return f"ended with code {code}"
    killed = f"killed by {signal.Signals(-code).name}"
    return f"{killed} (out of memory?)" if code == -signal.SIGKILL else killed


class _Shared:
    """A file that is open here, on its way to a process that is being started."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (reduction.DupFd(self._number),)


def _opened(number: Any) -> memoryview:
    """The bytes of the file; what is written to them is seen by nobody else."""
    descriptor: int = number.detach()
    try:
        return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY))
    finally:
        os.close(descriptor)


def _unnamed(content: bytearray) -> IO[bytes]:
    """A file without a name, which is gone when its last reader is."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the team
    try:
        file.write(content)
        file.flush()
    except OSError as error:
        file.close()
        raise RunError(
            f"{len(content) / 2**20:,.0f} MB that the workers share could not be written to {tempfile.gettempdir()}: "
            f"{error.strerror or error}. Make room there, name another folder in TMPDIR, or use workers=1."
        ) from error
    return file


# -- in the process ------------------------------------------------------------------------------------------------


def _serve(pipe: Connection[Any, Any], shared: memoryview, threads: int) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    keep_freed_memory()
    torch.set_num_threads(threads)
    call, error = _begun(shared)
    pipe.send(_READY)
    while True:
        task = pipe.recv()
        pipe.send(Outcome(error=error) if call is None else done(call, task))


def _begun(shared: memoryview) -> tuple[Call | None, Exception | None]:
    """What does a task, or why there is none: said with the first task, which is whose error it becomes."""
    try:
        return begun(shared), None
    except Exception as error:
        return None, sendable(error)


def done(call: Call, task: Any) -> Outcome:
    """What comes of a task, as it can be sent."""
    try:
        return Outcome(call(task))
    except Exception as error:
        return Outcome(error=sendable(error))


def sendable(error: Exception) -> Exception:
    """The error, or what can be said of it where it cannot be sent."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RunError(f"A worker failed: {type(error).__name__}: {error}")
    return error


def _end_with_parent() -> None:
    """A process deep in a training never learns by itself that its parent was killed."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
