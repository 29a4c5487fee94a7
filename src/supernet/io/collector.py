"""How often Python looks through everything that there is for objects that only name each other."""

from __future__ import annotations

import gc

_FULL = 200
"""Collections of middle-aged objects before one of all objects; Python's own number is 10."""


def collect_all_seldom() -> None:
    """Look through all objects twenty times more seldom, for the whole process; the young are collected as before.

    The command line does it at its start: while packages are imported nothing dies, and eight looks at a million
    objects are a fifth of the time from a command to its first step.
    """
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _FULL)
