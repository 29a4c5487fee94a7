"""The command line.

Nothing is imported before `main` runs, so that whatever happens from then on, Ctrl-C included, is told in a sentence.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

    from cyclopts import App

TRACEBACK = "SUPERNET_TRACEBACK"
"""The environment variable that shows where an error arose, if it is set."""

_NARROWEST = 40  # columns; rich breaks lines for ever, or fails, in a few


def app() -> App:
    """The commands, one file each."""
    from cyclopts import App

    from supernet import __version__
    from supernet.cli.bench import bench
    from supernet.cli.cite import cite
    from supernet.cli.compare import compare
    from supernet.cli.export import export
    from supernet.cli.federated import federated_join, federated_serve
    from supernet.cli.judge import judge
    from supernet.cli.latency import latency_build, latency_fit
    from supernet.cli.list import list_names
    from supernet.cli.prune import prune
    from supernet.cli.report import report
    from supernet.cli.retrain import retrain
    from supernet.cli.run import run
    from supernet.cli.search import search
    from supernet.cli.train import train
    from supernet.cli.transfer import transfer

    built = App(
        name="supernet",
        help="Weight-sharing neural architecture search: train one supernet, then search and deploy its subnets.",
        version=__version__,
        suppress_keyboard_interrupt=False,
    )
    verbs: tuple[Callable[..., None], ...] = (
        run,
        train,
        search,
        export,
        judge,
        retrain,
        transfer,
        prune,
        report,
        bench,
        compare,
        cite,
    )
    for place, verb in enumerate(verbs):
        built.command(verb, sort_key=place)
    built.command(list_names, name="list", sort_key=len(verbs))
    latency = App(name="latency", help="What architectures take on a device.", sort_key=len(verbs))
    latency.command(latency_build, name="build")
    latency.command(latency_fit, name="fit")
    built.command(latency)
    federated = App(
        name="federated", help="A supernet trained by devices that hold the images.", sort_key=len(verbs) + 1
    )
    federated.command(federated_serve, name="serve")
    federated.command(federated_join, name="join")
    built.command(federated)
    return built


def main() -> None:
    """Entry point: errors become one sentence and an exit code (2 wrong request, 1 failure)."""
    try:
        _prepare()
        app()(sys.argv[1:], exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        _fail(error)


def _prepare() -> None:
    """Make what the process was started with fit: its memory, streams, the width of its terminal, its arguments."""
    import shutil

    from supernet.errors import UsageError
    from supernet.io.allocator import keep_freed_memory
    from supernet.io.collector import collect_all_seldom

    keep_freed_memory()
    collect_all_seldom()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # started with it closed
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - for the whole process
    width = shutil.get_terminal_size().columns
    if width < _NARROWEST or "COLUMNS" in os.environ:  # 0 is none to the system, but not to rich
        os.environ["COLUMNS"] = str(max(width, _NARROWEST))
    for argument in sys.argv[1:]:
        if not argument.isprintable() and any("\udc80" <= letter <= "\udcff" for letter in argument):
            raise UsageError(f"{os.fsencode(argument)!r} is not text in UTF-8; rename what it names.")


def _fail(error: BaseException) -> NoReturn:
    """End with a sentence on standard error."""
    if os.environ.get(TRACEBACK):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, BrokenPipeError):  # whoever read the output has gone: nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(1)
    sentence, code = _told(error)
    sys.stderr.write(f"error: {sentence}\n")
    raise SystemExit(code)


def _told(error: BaseException) -> tuple[str, int]:
    """What to say of an error, and the exit code."""
    from supernet.errors import SupernetError, UsageError, causes

    if any(isinstance(cause, KeyboardInterrupt) for cause in causes(error)):  # some imports turn it into their own
        return "interrupted; the same command goes on (run, train, search, retrain and transfer with --resume)", 1
    from cyclopts import CycloptsError

    if isinstance(error, CycloptsError):
        if isinstance(error.__cause__, SupernetError):
            return str(error.__cause__), 2
        chain = " ".join(["supernet", *(error.command_chain or ())])
        return f"{' '.join(str(error).split())} See {chain} --help.", 2
    if isinstance(error, SupernetError):
        return str(error), 2 if isinstance(error, UsageError) else 1
    if isinstance(error, OSError) and (error.filename or error.strerror):
        return f"{error.filename or 'input or output'}: {error.strerror or error}", 1
    words = " ".join([f"{type(error).__name__}:", *(str(error).split() or ["no reason given"])])
    return f"{words}. This was not foreseen; {TRACEBACK}=1 in the environment shows where it arose.", 1
