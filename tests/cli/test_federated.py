"""What a client of a federation says for itself reaches it, or is refused."""

from __future__ import annotations

from typing import Any

import pytest

from command_line import supernet
from supernet.io.config import Named
from supernet.runs import federated


def test_what_a_client_names_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Any, ...]] = []
    monkeypatch.setattr(federated, "join", lambda *given, **options: seen.append((*given, options)))
    given = ("--space", "nasbench201", "--tiny", "-S", "cells=2", "--data", "digits", "--client", 3, "--wait", 5)
    done = supernet("federated", "join", "here:1", *given)
    assert done.code == 0, done.err
    ((address, data, options),) = seen
    assert (address, data) == ("here:1", Named("digits"))
    assert options["space"] == Named("nasbench201", {"channels": 8, "cells": 2})
    assert (options["method"], options["client"], options["wait"]) == (None, 3, 5.0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--tiny",), "--tiny makes the space that --space names small"),
        (("--task", "regression"), "Unknown option: --task"),
    ],
)
def test_what_a_client_cannot_say_is_refused(
    given: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(federated, "join", lambda *given, **options: pytest.fail("it was asked to take part"))
    done = supernet("federated", "join", "here:1", *given)
    assert done.code == 2
    assert said in " ".join(done.err.split())


def test_the_help_of_a_client_shows_no_default_of_what_the_server_decides() -> None:
    shown = " ".join(supernet("federated", "join", "--help").out.split())
    assert "--task" not in shown
    assert "--space" in shown
    assert "mbconv]" not in shown
    assert "spos]" not in shown
