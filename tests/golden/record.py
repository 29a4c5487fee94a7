"""Record what the cases give, from the root: `python -m tests.golden.record [--only NAME | --file NAME]`."""

from __future__ import annotations

import argparse
import json
import math
import platform
import re
from collections.abc import Sequence
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from golden.cases import CASES

FOLDER = Path(__file__).with_name("recorded")
TOLERANCE = 1e-3
DECISIVE = ("torch", "capability", "threads", "processor", "numpy", "pymoo", "onnxruntime")
"""Where these agree, so does every bit."""


def machine() -> dict[str, Any]:
    """What the bits of an outcome depend on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "torch": torch.__version__,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "processor": models[0] if models else platform.processor() or platform.machine(),
        **{name: version(name) for name in ("numpy", "pymoo", "onnxruntime")},
    }


def rounds_alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two machines can be expected to agree to the last bit."""
    return all(one[name] == other[name] for name in DECISIVE)


def outcome(name: str) -> dict[str, Any]:
    """What a case gives, as JSON gives it back; one thread, and torch's generator as if the process were new."""
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        told: dict[str, Any] = json.loads(json.dumps(CASES[name](), allow_nan=False))
    return told


def differences(recorded: Any, found: Any, *, bitwise: bool, at: str = "") -> list[str]:
    """Where two outcomes differ: everywhere, or without `bitwise` beyond rounding (whole numbers exactly, no text)."""
    if isinstance(recorded, dict) and isinstance(found, dict) and recorded.keys() == found.keys():
        pairs = [(f"{at}.{key}" if at else key, recorded[key], found[key]) for key in recorded]
    elif isinstance(recorded, list) and isinstance(found, list) and len(recorded) == len(found):
        pairs = [(f"{at}[{place}]", *both) for place, both in enumerate(zip(recorded, found, strict=True))]
    elif type(recorded) is type(found) and (recorded == found or (not bitwise and _near(recorded, found))):
        return []
    else:
        return [f"{at}: {recorded!r} was recorded, {found!r} was found"]
    return [line for place, one, other in pairs for line in differences(one, other, bitwise=bitwise, at=place)]


def _near(recorded: Any, found: Any) -> bool:
    if isinstance(recorded, float):
        return math.isclose(recorded, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return isinstance(recorded, str)


def check(name: str, held: dict[str, Any]) -> list[str]:
    """How a case differs from a record, in the way that this machine allows; begins with what was compared how."""
    here = machine()
    bitwise = rounds_alike(held["machine"], here)
    found = differences(held["cases"][name], outcome(name), bitwise=bitwise)
    how = "bit for bit" if bitwise else "within rounding"
    return found and [f"{name}, {how}; recorded on {held['machine']}, run on {here}", *found]


def file(name: str) -> Path:
    """What holds a case: one file per method, and one each for searches, judging, deployment and spaces."""
    return FOLDER / f"{re.split('[,:]', name)[0]}.json"


def read(path: Path) -> dict[str, Any]:
    """A file: `machine`, and `cases` by name."""
    held: dict[str, Any] = json.loads(path.read_text())
    return held


def write(path: Path, held: dict[str, Any]) -> None:
    """One line per entry of a case, in the order of the cases."""

    def block(entries: dict[str, str], indent: str) -> str:
        lines = [f"{indent} {json.dumps(name)}: {value}" for name, value in entries.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"

    cases = {
        name: block({key: json.dumps(value) for key, value in held["cases"][name].items()}, "  ")
        for name in CASES
        if name in held["cases"]
    }
    path.write_text(block({"machine": json.dumps(held["machine"]), "cases": block(cases, " ")}, "") + "\n")


def record(path: Path, names: Sequence[str], *, only: bool) -> None:
    """Record cases of one file anew, and say what has changed; with `only` the others in the file stay as they are."""
    held = read(path) if path.is_file() else {"machine": machine(), "cases": {}}
    if only and not rounds_alike(held["machine"], machine()):
        raise SystemExit(
            f"The other cases of {path.name} were recorded on {held['machine']}; record all anew, without --only."
        )
    before = held["cases"]
    held = {"machine": machine(), "cases": {name: outcome(name) for name in names}}
    for name, found in held["cases"].items():
        if name not in before:
            print(f"{name}: new")  # noqa: T201
        for line in differences(before.get(name, found), found, bitwise=True):
            print(f"{name}: {line}")  # noqa: T201
    for name in before.keys() - CASES.keys():
        print(f"{name}: removed")  # noqa: T201
    if only:
        held["cases"] = before | held["cases"]
    write(path, held)


def main() -> None:
    parser = argparse.ArgumentParser(description="Record what fixed seeds give, and say what has changed.")
    parser.add_argument("--only", metavar="NAME", choices=CASES, help="record this case alone")
    parser.add_argument("--file", metavar="NAME", help="record all cases of this file of `recorded/` anew, such as zoo")
    options = parser.parse_args()
    only = options.only
    torch.set_num_threads(1)
    asked = [name for name in CASES if options.file is None or file(name).stem == options.file]
    for path, names in groupby(sorted((only,) if only else asked, key=file), key=file):
        record(path, list(names), only=bool(only))


if __name__ == "__main__":
    main()
