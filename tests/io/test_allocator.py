"""Page faults of memory that is taken and given back again and again, with and without."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import resource
import numpy as np
from supernet.io.allocator import keep_freed_memory
took = keep_freed_memory()
np.ones(2_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(40):
    np.ones(2_000_000)
print(int(took), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def tried(**variables: str) -> tuple[bool, int]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_", "SUPERNET_"))}
    environment |= {"PYTHONPATH": str(ROOT / "src"), **variables}
    told = subprocess.check_output([sys.executable, "-c", PROGRAM], env=environment, text=True).split()
    return told[0] == "1", int(told[1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_kept_unless_somebody_says_otherwise() -> None:
    took, faults = tried()
    assert took
    for variables in ({"SUPERNET_ALLOCATOR": "system"}, {"MALLOC_TRIM_THRESHOLD_": "131072"}):
        left, more = tried(**variables)
        assert not left
        assert more > 10 * max(faults, 10), (more, faults)
