"""What `import supernet` adds to `import torch`.

python benchmarks/import_time.py [--runs 7]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

PROGRAM = """
import time
import torch
begin = time.perf_counter()
import supernet
print(time.perf_counter() - begin)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    times = [float(subprocess.check_output([sys.executable, "-c", PROGRAM])) for _ in range(runs + 1)][1:]
    print(f"import supernet after import torch: median {statistics.median(times):.3f} s, worst {max(times):.3f} s")


if __name__ == "__main__":
    main()
