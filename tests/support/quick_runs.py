"""Options of runs on the command line that take a second or two."""

from __future__ import annotations

SMALL = ("--space", "nasbench201", "-S", "channels=4", "-S", "cells=1", "--method", "spos", "--batch-size", 32)
QUICK = (*SMALL, "--steps", 12, "--monitor-every", 0)
SMALL_SPACE = SMALL[:6]


def study(*, seeds: int, steps: int) -> str:
    """A study of one method on the table of digits."""
    return f"""
seeds = {list(range(seeds))}

[judge]
table = "nasbench201_digits"
archs = 6

[base.space]
name = "nasbench201"
options = {{ channels = 4, cells = 1 }}

[base.data]
name = "digits"

[base.train]
batch_size = 32
monitor_every = 0

[cells.spos]
method = {{ name = "spos" }}
train = {{ steps = {steps} }}
"""
