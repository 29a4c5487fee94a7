"""A program limited to one leaf."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from supernet.train import Program
from supernet.train.samplers.within import Within


def within(program: Program, leaf: int) -> Program:
    """A program of paths, which it draws from the sub-space of one leaf and so trains on the leaf's weights."""
    paths = cast(Any, program)
    limited: Program = replace(paths, sampler=Within(paths.sampler, leaf))
    return limited
