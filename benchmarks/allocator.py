"""What it gains to keep freed memory (`supernet.io.allocator`): processes in pairs, with and without.

    python benchmarks/allocator.py [--pairs 5]

Each process scores the largest architecture of NAS-Bench-201 (C=16, N=5, 32 x 32) and trains on it, on one thread.
Printed are the medians of processor seconds, user and system, page faults and the peak of memory, and of the ratios
within pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys

PROGRAM = """
import json, resource
import numpy as np, torch
torch.set_num_threads(1)
from supernet.io.allocator import keep_freed_memory
keep_freed_memory()
from supernet import fit, measure, methods, zoo
from supernet.data import from_arrays
torch.manual_seed(0)
net = zoo.nasbench201(channels=16, cells=5)
pixels = np.random.default_rng(0).integers(0, 256, (2000, 32, 32, 3)).astype(np.uint8)
images = from_arrays(pixels, np.arange(2000) % 10, name="noise")
def scoring(n):
    calibration = measure.Calibration(images=500, batch_size=250)
    for _ in range(n):
        measure.scores(net, net.space.largest(), images, calibration=calibration, images=512)
def training(n):
    fit(net, methods.spos(), images, steps=n, batch_size=64, progress=False)
told = {}
for work, n in ((scoring, 2), (training, 12)):
    work(1)
    a = resource.getrusage(resource.RUSAGE_SELF)
    work(n)
    b = resource.getrusage(resource.RUSAGE_SELF)
    user, system = b.ru_utime - a.ru_utime, b.ru_stime - a.ru_stime
    told[work.__name__] = [user, system, b.ru_minflt - a.ru_minflt, b.ru_maxrss / 1024]
print(json.dumps(told))
"""


def measured(kept: bool) -> dict[str, list[float]]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "SUPERNET_ALLOCATOR": "" if kept else "system"}
    told = subprocess.check_output([sys.executable, "-c", PROGRAM], env=environment, text=True)
    found: dict[str, list[float]] = json.loads(told.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    pairs = []
    for number in range(parser.parse_args().pairs):
        first = measured(bool(number % 2))
        second = measured(not number % 2)
        pairs.append((first, second) if number % 2 else (second, first))
    print("| work | memory | user s | system s | page faults | peak MB | processor time, kept / system |")
    print("|---|---|---|---|---|---|---|")
    for work in pairs[0][0]:
        ratios = [sum(kept[work][:2]) / sum(given[work][:2]) for kept, given in pairs]
        for name, place in (("kept", 0), ("system", 1)):
            rows = [pair[place][work] for pair in pairs]
            user, system, faults, peak = (statistics.median(column) for column in zip(*rows, strict=True))
            told = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if name == "kept" else ""
            print(f"| {work} | {name} | {user:.2f} | {system:.2f} | {faults:,.0f} | {peak:,.0f} | {told} |")


if __name__ == "__main__":
    main()
