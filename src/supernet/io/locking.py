"""One process at a time in a directory."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
import shlex
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import IO

from supernet.errors import RunError, UsageError

LOCK = ".supernet-lock"
"""The locked file: the system's lock says whether somebody holds it, its content says who."""

_HELD: ContextVar[frozenset[Path]] = ContextVar("held", default=frozenset())


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[bool]:
    """Hold a directory, which is made if need be and removed again if it is left empty.

    The lock is one of the operating system (`flock`), so that it ends with its holder however that ends: a file that
    was left behind stops nobody. Inside, the same directory may be locked again, which changes nothing; other threads
    and processes are refused. Without `flock` (Windows) and on file systems that have no locks nothing is locked. The
    further processes of a training on several devices work under the lock of the first and take none.

    Yields:
        Whether this call took charge of the directory.

    Raises:
        UsageError: somebody else holds it; says who, or the directory is a file.
        RunError: it cannot be made or written.
    """
    place = directory.resolve()
    if further_process() or place in _HELD.get():
        yield False
        return
    try:
        made = [path for path in (directory, *directory.parents) if not path.exists()]
        directory.mkdir(parents=True, exist_ok=True)
        file = _taken(directory / LOCK)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{directory} is not a directory. Give that of a run, or with --out a new one.") from error
    except OSError as error:
        raise RunError(
            f"{directory} could not be written: {error.strerror or error}. Choose another directory."
        ) from error
    token = _HELD.set(_HELD.get() | {place})
    try:
        yield True
    finally:
        _HELD.reset(token)
        with contextlib.suppress(OSError):
            (directory / LOCK).unlink()  # before the lock is given back: nobody else's file
        file.close()
        for path in made:  # the innermost first
            with contextlib.suppress(OSError):
                path.rmdir()  # refuses what is not empty


def further_process() -> bool:
    """Whether this is one of the processes that a training on several devices has started besides the first."""
    return "WORLD_SIZE" in os.environ and os.environ.get("LOCAL_RANK", "0") != "0"


def restarted() -> bool:
    """Whether torchrun has started this process anew, after one of a training on several devices had ended."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def _taken(path: Path) -> IO[str]:
    """The lock file, locked and with our name in it."""
    while True:
        file = path.open("a+")
        if not _flock(file):
            with file:
                raise UsageError(_refusal(path.parent, file))
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                break
        file.close()  # its holder has removed it between our opening and our locking
    file.truncate(0)
    now = datetime.datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    json.dump({"pid": os.getpid(), "host": platform.node(), "since": now, "command": command_line()}, file)
    file.flush()
    return file


def command_line() -> str:
    """The command that started this process, such that it can be pasted into a shell."""
    program = Path(sys.argv[0]).name.replace("__main__.py", "supernet")  # python -m supernet
    return shlex.join([program, *sys.argv[1:]])


def _flock(file: IO[str]) -> bool:
    """Whether the file is ours now."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # a file system without locks is not a reason to refuse work
        return not isinstance(error, BlockingIOError)
    return True


def _refusal(directory: Path, file: IO[str]) -> str:
    try:
        file.seek(0)
        facts = json.load(file)
        holder = f"process {facts['pid']} on {facts['host']} ({facts['command']}) since {facts['since']}"
    except (ValueError, KeyError, TypeError):
        holder = "another process, which has not yet said which"
    return f"{directory} is in use by {holder}. Wait for it or stop it, then start again; or choose another directory."
