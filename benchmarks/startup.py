"""What a command costs before it works: the processor's seconds of whole commands that do next to nothing.

    OMP_NUM_THREADS=1 python benchmarks/startup.py [--runs 5] [--against CHECKOUT] [--uncompiled]

Medians of processes, user and system seconds, in turn with those of another checkout where one is given. Compiled
modules are kept in a folder of their own for each checkout, which a first run fills; `--uncompiled` has Python compile
every module in every process, as where PYTHONDONTWRITEBYTECODE is set and nothing has been compiled before. What
PyTorch takes for itself stands in the first two rows: its first optimiser imports its compiler.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
SMALL = "--space nasbench201 -S channels=4 -S cells=1 --method spos --steps 2 --monitor-every 0"
TWO = "--searcher random --budget 2 --validation-images 16 --objectives accuracy"
COMMANDS = {
    "`import torch`": ("-c", "import torch"),
    "`import torch` and one optimiser": ("-c", "import torch; torch.optim.SGD([torch.zeros(1)], lr=1)"),
    "`import supernet`": ("-c", "import supernet"),
    "`from supernet import fit`": ("-c", "from supernet import fit"),
    "`supernet --help`": ("-m", "supernet --help"),
    "`supernet train --help`": ("-m", "supernet train --help"),
    "`supernet list methods`": ("-m", "supernet list methods"),
    "`supernet train`, two steps": ("-m", f"supernet train --out new --overwrite {SMALL}"),
    "`supernet search`, two architectures": ("-m", f"supernet search run --out new2 --overwrite {TWO}"),
    "`supernet judge`, three of one step": ("-m", "supernet judge COPY --retrain 3 --retrain-steps 1"),
    "`supernet run`, two steps, two architectures": (
        "-m",
        f"supernet run --out new3 --overwrite {SMALL} {TWO} --exports 1 --format program",
    ),
}
"""What is timed; `run` is a finished training of two steps, COPY one of its own."""


def environment(checkout: Path, compiled: Path | None) -> dict[str, str]:
    told = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")}
    told |= {"PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
    if compiled is None:
        return told | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": tempfile.mkdtemp()}
    return told | {"PYTHONPYCACHEPREFIX": str(compiled)}


def seconds(command: tuple[str, str], told: dict[str, str], folder: Path) -> float:
    """The processor's seconds of a process and those that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    how, what = command
    if "COPY" in what:  # it would find what the last one has made
        copy = shutil.copytree(folder / "run", Path(tempfile.mkdtemp(dir=folder)) / "run")
        what = what.replace("COPY", str(copy))
    words = [how, *(what.split() if how == "-m" else [what])]
    done = subprocess.run([sys.executable, *words], env=told, cwd=folder, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    """Print a row per command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--against", type=Path, help="another checkout, such as a worktree of an older commit")
    parser.add_argument("--uncompiled", action="store_true")
    parser.add_argument("--only", nargs="*", default=[""], help="parts of names of commands")
    options = parser.parse_args()
    places = [HERE, *([options.against.resolve()] if options.against else [])]
    folders = [Path(tempfile.mkdtemp()) for _ in places]
    pairs = []
    for place, folder in zip(places, folders, strict=True):
        pairs.append((environment(place, None if options.uncompiled else folder / "pyc"), folder))
        seconds(("-m", f"supernet train --out run {SMALL}"), *pairs[-1])
    print(f"| command | seconds |{' of the other | ratio |' if options.against else ''}")
    print(f"|---|---|{'---|---|' if options.against else ''}")
    for name, command in COMMANDS.items():
        if not any(part in name for part in options.only):
            continue
        taken = [[seconds(command, own, folder) for own, folder in pairs] for _ in range(options.runs + 1)][1:]
        medians = [statistics.median(column) for column in zip(*taken, strict=True)]
        cells = [f"{value:.2f}" for value in medians]
        print(f"| {name} | {' | '.join([*cells, *([f'{medians[0] / medians[1]:.2f}'] if options.against else [])])} |")


if __name__ == "__main__":
    main()
