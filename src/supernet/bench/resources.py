"""What one run took, kept in its directory as `resources.json`."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from supernet.io.files import write_json
from supernet.io.run_directory import RunDirectory

FILE = "resources.json"


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one run took; None where it is not known.

    Attributes:
        training_memory_bytes: Largest resident memory of the process by the end of training.
        memory_bytes: The same by the end of everything.
        accelerator_memory_bytes: Largest memory that torch allocated on the accelerator.
        judging_seconds: Of judging, or of the search.
        threads: Of torch.
        workers: Runs made at the same time on this machine.
        judging: What the run was judged against, as the study says; None: it was searched.
    """

    training_memory_bytes: int | None = None
    memory_bytes: int | None = None
    accelerator_memory_bytes: int | None = None
    judging_seconds: float | None = None
    threads: int | None = None
    workers: int | None = None
    judging: dict[str, Any] | None = None

    def write(self, run: Path) -> None:
        """Write the file."""
        write_json(run / FILE, asdict(self))

    @classmethod
    def read(cls, run: Path) -> Resources | None:
        """Read the file; None where the run has none because it was made by hand.

        Raises:
            RunError: the file is damaged.
        """
        if not (run / FILE).is_file():
            return None
        found = RunDirectory(run).read(FILE)
        return cls(**{f.name: found.get(f.name) for f in fields(cls)})


def peak_memory_bytes() -> int | None:
    """Largest resident memory that this process has had."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            # Not `ru_maxrss`: Linux hands that of the parent on to the programs it starts.
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return None
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


def accelerator_memory_bytes() -> int | None:
    """Largest memory that torch has allocated on CUDA; None where it was not used."""
    import torch

    return int(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else None
