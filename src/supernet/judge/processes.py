"""Processes that work for this process and end with it."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection, get_context, parent_process
from threading import Thread

from supernet.io.allocator import keep_freed_memory


def processes(count: int, begin: Callable[..., None], *arguments: object) -> ProcessPoolExecutor:
    """A pool of processes that start from nothing and end with this process, also where it is killed.

    Args:
        count: Number of processes.
        begin: Called in each process before its first task; a function at the top level of a module.
        arguments: Arguments that the function is called with.
    """
    spawn = get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=spawn, initializer=_begin, initargs=(begin, arguments))


def _begin(begin: Callable[..., None], arguments: tuple[object, ...]) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    keep_freed_memory()
    begin(*arguments)


def _end_with_parent() -> None:
    """A process that waits for tasks never learns that its parent was killed: its siblings hold the queue open."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)  # the main thread may be deep in a training
