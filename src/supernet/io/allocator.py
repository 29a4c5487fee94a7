"""What the C library does with memory that is freed: keep it, or give it back after every layer.

Activations of a layer are tens of megabytes. By default glibc takes each from the kernel and gives it back, which means
hundreds of thousands of page faults per architecture that is scored; every page is filled with zeros first.
"""

from __future__ import annotations

import ctypes
import os

VARIABLE = "SUPERNET_ALLOCATOR"
"""The environment variable that leaves everything as it is when it says `system`."""

_TRIM, _MMAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
_LARGEST = 32 * 2**20  # the largest threshold that glibc takes
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let glibc keep freed memory for what comes next, for the whole process.

    The command line does it at its start; a program of one's own may. Memory at its peak is what it was, in between the
    process holds on to more of it. Nothing changes where `MALLOC_TRIM_THRESHOLD_`, `MALLOC_MMAP_THRESHOLD_` or
    `GLIBC_TUNABLES` say otherwise, or `SUPERNET_ALLOCATOR=system`; nor where the C library is another than glibc.

    Returns:
        Whether it took effect.
    """
    asked = os.environ
    if asked.get(VARIABLE) == "system" or "glibc.malloc" in asked.get("GLIBC_TUNABLES", ""):
        return False
    if "MALLOC_TRIM_THRESHOLD_" in asked or "MALLOC_MMAP_THRESHOLD_" in asked:
        return False
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 - no other C library has it
        set_option = library.mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(set_option(_MMAP, _LARGEST)) and bool(set_option(_TRIM, _NEVER))
