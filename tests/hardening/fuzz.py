"""Damaged files against every verb that reads them: an answer or a sentence, soon, in little memory, and no traceback.

    python -m tests.hardening.fuzz [--cases 500] [--seed 0] [--only NUMBER]

Each case copies a small run, damages one file in one way, and runs a verb that reads it. A verb may go on (a byte was
turned that does not matter) or refuse; it may not end in a traceback, take more than a minute or more than half a
gigabyte, or run what a file says.
"""

from __future__ import annotations

import argparse
import json
import pickle
import resource
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import numpy as np

from command_line import supernet
from quick_runs import QUICK, SMALL_SPACE, study

SECONDS = 60
MEGABYTES = 512
EXECUTED = Path(tempfile.gettempdir()) / "a_damaged_file_was_executed"

CSV = "arch,accuracy\n" + "".join(
    f'"1<-0={a},2<-0=skip_connect,2<-1=none,3<-0=nor_conv_1x1,3<-1={b},3<-2=skip_connect",{0.5 + i / 100}\n'
    for i, (a, b) in enumerate(
        (a, b) for a in ("none", "nor_conv_3x3", "skip_connect") for b in ("none", "nor_conv_1x1")
    )
)


def prepared(folder: Path) -> Path:
    """A run with everything that verbs read, and files of the user's."""
    run = folder / "run"
    for seed, place in enumerate((run, folder / "twin")):
        done = supernet(
            "run", "--out", place, *QUICK, "--seed", seed, "--budget", 6, "--exports", 1, "--format", "program"
        )
        assert done.code == 0, done.err
    (folder / "arch.json").write_text(json.dumps(json.loads((run / "front.json").read_text())["points"][0]["arch"]))
    (folder / "table.csv").write_text(CSV)
    (folder / "study.toml").write_text(study(seeds=1, steps=4))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1)).astype(np.uint8)
    np.savez(folder / "own.npz", x_train=pixels, y_train=np.arange(40) % 4)
    return folder


def verbs(folder: Path) -> list[tuple[str, tuple[object, ...]]]:
    """Files, each with the arguments of a verb that reads it."""
    run, out = folder / "run", folder / "other"
    resumed = ("train", "--out", run, "--resume")
    search = ("search", run, "--resume")
    exported = ("export", run, "--best", "--format", "program")
    found: list[tuple[str, tuple[object, ...]]] = [
        *((f"run/{name}", resumed) for name in ("config.json", "training.json", "space.json", "supernet.json")),
        *((f"run/{name}", resumed) for name in ("environment.json", "data.json", "counts.json", "train.jsonl")),
        *((f"run/{name}", search) for name in ("config.json", "search.json", "search.jsonl", "front.json")),
        *((f"run/{name}", exported) for name in ("front.json", "space.json", "config.json", "search.json")),
        *((f"run/{name}", ("report", run)) for name in ("train.jsonl", "search.jsonl", "front.json", "exports.json")),
        *((f"run/{name}", ("report", run)) for name in ("config.json", "environment.json", "space.json")),
        *((f"run/{name}", ("compare", run, folder / "twin")) for name in ("config.json", "train.jsonl")),
        ("run/config.json", ("cite", run)),
        ("arch.json", ("export", run, "--arch", folder / "arch.json", "--format", "program")),
        ("table.csv", ("judge", run, "--table", folder / "table.csv")),
        ("study.toml", ("bench", folder / "study.toml", "--out", out)),
        (
            "own.npz",
            ("train", *SMALL_SPACE, "--data", folder / "own.npz", "--steps", 1, "--batch-size", 8, "--out", out),
        ),
    ]
    checkpoints = sorted((run / "checkpoints").glob("*.safetensors"))
    for checkpoint in checkpoints:
        name = str(checkpoint.relative_to(folder))
        found += [(name, resumed), (name, exported)]
    return found


class _Executes:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return _touch, (str(EXECUTED),)


def _touch(path: str) -> None:
    Path(path).touch()


VALUES = (None, True, -1, 0, 10**400, 1.5, "", "x" * 10**5, "<script>alert(1)</script>", [], {}, [[[]]], {"": None})
WORDS = (b"NaN", b"Infinity", b"-1e999", b"\xff\xfe", b"\x00", b"}", b'"', b"\\ud800", b"1e308")


def damage(content: bytes, random: Random) -> bytes:
    """One way of many in which a file is not what it was."""
    ways: list[Callable[[bytes, Random], bytes]] = [
        _shorter,
        _turned,
        _inserted,
        _nested,
        _replaced_value,
        _replaced_value,
        _replaced_value,
        _without_key,
        _lines,
        _other,
    ]
    return random.choice(ways)(content, random)


def _shorter(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content))] if content else b"{"


def _turned(content: bytes, random: Random) -> bytes:
    changed = bytearray(content or b"{}")
    for _ in range(random.choice((1, 1, 4, 64))):
        changed[random.randrange(min(len(changed), random.choice((16, 400, 10**9))))] = random.randrange(256)
    return bytes(changed)


def _inserted(content: bytes, random: Random) -> bytes:
    place = random.randrange(len(content) + 1)
    return content[:place] + random.choice(WORDS) + content[place:]


def _nested(content: bytes, random: Random) -> bytes:
    depth = random.choice((50, 2_000, 100_000))
    return random.choice((b"[" * depth, b'{"a":' * depth, b"[" * depth + b"]" * depth))


def _documents(content: bytes) -> list[Any]:
    try:
        return [json.loads(line) for line in content.splitlines()]
    except ValueError:
        return [json.loads(content)]


def _replaced_value(content: bytes, random: Random) -> bytes:
    try:
        documents = _documents(content)
    except ValueError:
        return _turned(content, random)
    holders = list(_holders(documents))
    holder, key = random.choice(holders)
    holder[key] = random.choice(VALUES)
    return b"\n".join(json.dumps(one).encode() for one in documents) + b"\n"


def _without_key(content: bytes, random: Random) -> bytes:
    try:
        documents = _documents(content)
    except ValueError:
        return _shorter(content, random)
    holder, key = random.choice(list(_holders(documents)))
    del holder[key]
    return b"\n".join(json.dumps(one).encode() for one in documents) + b"\n"


def _holders(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document, as what holds it and its key."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in list(items):
        yield value, key
        yield from _holders(inside)


def _lines(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    first, second = random.randrange(len(lines)), random.randrange(len(lines))
    if random.random() < 0.5:
        lines[first], lines[second] = lines[second], lines[first]
    else:
        lines.insert(second, lines[first])
    return b"".join(lines)


def _other(content: bytes, random: Random) -> bytes:
    return random.choice(
        (
            b"",
            b"null",
            b"[]",
            b"3",
            pickle.dumps(_Executes()),
            b"\x80\x02c__builtin__\nexec\n.",
            b"\xff" * 8 + content,
            (2**63 - 1).to_bytes(8, "little") + content[8:],
            b"\xef\xbb\xbf" + content,
        )
    )


@dataclass(frozen=True)
class Case:
    """A damaged file and a verb that reads it.

    Attributes:
        number: What it is repeated by.
        file: The file that is damaged.
        verb: The arguments of the command line.
        content: What the file holds.
    """

    number: int
    file: str
    verb: tuple[object, ...]
    content: bytes

    def __str__(self) -> str:
        return f"case {self.number}: {self.file} ({self.content[:60]!r} …) read by {' '.join(map(str, self.verb[:1]))}"


def case(number: int, seed: int, original: Path, folder: Path) -> Case:
    """A case, made of its number and the seed alone; its folder holds everything and is thrown away."""
    random = Random(f"{seed}/{number}")
    shutil.copytree(original, folder)
    known = verbs(folder)
    file, verb = known[number % len(known)]
    content = damage((folder / file).read_bytes(), random)
    (folder / file).write_bytes(content)
    return Case(number, file, verb, content)


def tried(case: Case) -> tuple[int, str | None]:
    """The exit status, and what is wrong with how the verb takes it; None: nothing."""
    EXECUTED.unlink(missing_ok=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    previous = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    try:
        done = supernet(*case.verb)
    except _TooLong:
        return -1, f"it took more than {SECONDS} s"
    except Exception:
        return -1, traceback.format_exc(limit=-3)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    wrong = None
    if EXECUTED.exists():
        wrong = "the file was executed"
    elif "Traceback" in done.err or done.code not in (0, 1, 2):
        wrong = f"it ended with {done.code}: {done.err[-500:]}"
    elif done.code and "error: " not in done.err:
        wrong = f"it ended with {done.code} and no sentence: {done.err[-500:]}"
    elif more > MEGABYTES:
        wrong = f"it took {more:.0f} MB"
    return done.code, wrong


class _TooLong(BaseException):
    """Not to be caught by what is tried."""


def _too_long(number: int, frame: FrameType | None) -> None:
    raise _TooLong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, default=None, help="one case by its number")
    options = parser.parse_args()
    faults = refused = 0
    with tempfile.TemporaryDirectory() as made:
        original = prepared(Path(made, "original"))
        for number in range(options.cases) if options.only is None else [options.only]:
            folder = Path(made, "case")
            one = case(number, options.seed, original, folder)
            code, wrong = tried(one)
            refused += code > 0
            shutil.rmtree(folder)
            if wrong is not None:
                faults += 1
                print(f"{one}\n  {wrong}", flush=True)
            elif number % 50 == 49:
                print(f"{number + 1} cases, {refused} refused, {faults} faults", flush=True)
    print(f"{options.cases if options.only is None else 1} cases, {refused} refused, {faults} faults")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
