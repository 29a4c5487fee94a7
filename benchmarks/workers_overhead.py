"""What a task costs beside its work: the constants of docs/scale.md.

    python benchmarks/workers_overhead.py --workers 1
    python benchmarks/workers_overhead.py --workers ray:1

Seconds are of the wall; beside them stand the processor's seconds of the driver, which another program on the machine
does not change.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from supernet.io.asked_workers import AskedWorkers
from supernet.io.lines import LinesFile
from supernet.workers import Crew, Local, Work, workers_of


def begin(given: Any) -> Callable[[Any], Any]:
    """Work that is none: tasks come back."""
    return given["back"]  # type: ignore[no-any-return]


def back(task: Any) -> Any:
    """The task."""
    return task


def main() -> None:
    """Print the constants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="1", help="as --workers of the command line; 1 is a process of its own")
    parser.add_argument("--tasks", type=int, default=300)
    parser.add_argument("--weights", type=float, default=20.0, help="megabytes that the workers share")
    told = parser.parse_args()
    workers = workers_of(told.workers) or Local(AskedWorkers.of(told.workers).count or 1)
    given = {"back": back, "weights": torch.ones(int(told.weights * 2**20 / 4))}
    began = time.perf_counter()
    packed = Work(begin, given).packed()
    print(f"packed: {time.perf_counter() - began:.3f} s for {len(packed) / 2**20:.0f} MB")
    began = time.perf_counter()
    with Crew(workers, Work(begin, given)) as crew:
        crew.result(crew.submit((0, ("score",))))
        print(f"first result: {time.perf_counter() - began:.2f} s, {crew.count} workers")
        wall, own = time.perf_counter(), time.process_time()
        for number in [crew.submit((place, ("score",))) for place in range(told.tasks)]:
            crew.result(number)
        wall, own = time.perf_counter() - wall, time.process_time() - own
        print(f"a task: {1e3 * wall / told.tasks:.2f} ms of the wall, {1e3 * own / told.tasks:.3f} ms of the driver")
    with tempfile.TemporaryDirectory() as folder, LinesFile(Path(folder) / "record.jsonl") as file:
        wall = time.perf_counter()
        for place in range(100):
            file.append({"arch": {"a": place}, "values": {"accuracy": 0.5}, "generation": 0})
        print(f"a line of the record: {1e3 * (time.perf_counter() - wall) / 100:.2f} ms")


if __name__ == "__main__":
    main()
