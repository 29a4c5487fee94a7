"""The command line, run inside the test process."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import NamedTuple
from unittest import mock

import supernet.cli.app as cli


class Done(NamedTuple):
    code: int
    out: str
    err: str


def supernet(*arguments: object) -> Done:
    """Run `supernet` with these arguments."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["supernet", *map(str, arguments)]
    code = 0
    with (
        mock.patch.object(sys, "argv", argv),
        mock.patch.dict(os.environ),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Done(code, out.getvalue(), err.getvalue())
