"""Options of runs on the command line that take a second or two."""

from __future__ import annotations

SMALL = ("--space", "nasbench201", "-S", "channels=4", "-S", "cells=1", "--method", "spos", "--batch-size", 32)
QUICK = (*SMALL, "--steps", 12, "--monitor-every", 0)
SMALL_SPACE = SMALL[:6]
