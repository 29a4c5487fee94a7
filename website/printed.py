"""What the examples print at a tiny setting: `make docs` runs each and shows it on its page, and so do the tests."""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

EXAMPLES = Path(__file__).parents[1] / "examples"


class Tiny(NamedTuple):
    """A setting at which an example takes seconds.

    Attributes:
        function: The function of the example that does all of it; None: the command line does.
        options: Keywords of the function, or options of `supernet run`.
    """

    function: str | None
    options: Mapping[str, Any]

    def told(self, name: str) -> str:
        """As one would type it."""
        if self.function is None:
            return " ".join(["supernet run", *self.arguments(name, "out")])
        told = ", ".join(["out", *(f"{key}={value!r}" for key, value in self.options.items())])
        return f"{name}.{self.function}({told})"

    def arguments(self, name: str, out: str) -> list[str]:
        """Those of `supernet run`."""
        given = [("--data", f"{name}:data"), ("--space", f"{name}:net"), *self.options.items(), ("--out", out)]
        return [str(word) for pair in given for word in pair]


TINY: dict[str, Tiny] = {
    "detection": Tiny("main", {"scenes": 40, "steps": 3, "budget": 4, "alone": 3}),
    "language_modelling": Tiny(
        None,
        {
            "--method": "language_modelling:search",
            "-D": "number=400",
            "--steps": 4,
            "--batch-size": 8,
            "--monitor-every": 0,
            "--budget": 4,
            "--exports": 1,
            "--format": "program",
        },
    ),
    "pretrained": Tiny("main", {"steps": 3, "budget": 6}),
    "regression": Tiny("run", {"tones": 256, "steps": 80, "budget": 8, "judged": 6}),
    "segmentation": Tiny("main", {"scenes": 40, "steps": 3, "budget": 4, "alone": 3}),
    "translation": Tiny(
        "run",
        {
            "steps": 3,
            "batch_size": 8,
            "budget": 4,
            "judged": 4,
            "beam": 2,
            "sizes": {"widths": (8, 16), "ffn": (16, 32), "qkv_width": 16},
            "length": 48,
            "number": 120,
            "vocabulary": 700,
            "validation": 0.2,
            "test": 0.2,
        },
    ),
}
"""One for each file of `examples/`."""


class Ran(NamedTuple):
    """What an example printed, and what its function returned."""

    text: str
    returned: Any


def ran(name: str, out: Path) -> Ran:
    """Run an example at its tiny setting.

    Args:
        name: Name of its file.
        out: Where its files go.

    Raises:
        RuntimeError: the command line ended with an error.
    """
    tiny, said = TINY[name], io.StringIO()
    with _importable(), contextlib.redirect_stdout(said):
        if tiny.function is None:
            returned: Any = _by_command_line(tiny.arguments(name, str(out)))
        else:
            function: Callable[..., Any] = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name=name)[tiny.function]
            returned = function(out, **tiny.options)
    text = re.sub(re.escape(str(out)), "out", said.getvalue())
    return Ran("\n".join(line.rstrip() for line in text.splitlines()).strip(), returned)


def _by_command_line(arguments: list[str]) -> int:
    from supernet.cli.app import main

    before, sys.argv = sys.argv, ["supernet", "run", *arguments]
    try:
        main()
    except SystemExit as stop:
        if stop.code:
            raise RuntimeError(f"supernet run {' '.join(arguments)} ended with {stop.code}.") from stop
    finally:
        sys.argv = before
    return 0


@contextlib.contextmanager
def _importable() -> Iterator[None]:
    """Inside, examples are found by their names, and the command line leaves the environment as it was."""
    environment = dict(os.environ)
    sys.path.insert(0, str(EXAMPLES))
    try:
        yield
    finally:
        sys.path.remove(str(EXAMPLES))
        os.environ.clear()
        os.environ.update(environment)


def printed(name: str) -> str:
    """What an example prints at its tiny setting."""
    with tempfile.TemporaryDirectory() as folder:
        return ran(name, Path(folder) / name).text


if __name__ == "__main__":
    for name in sys.argv[1:] or TINY:
        print(f">>> {TINY[name].told(name)}", printed(name), sep="\n", flush=True)
