"""What is left of a space is derived; a training that was stopped early falls back, or says what is open."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cell_nets import cells_net
from small_nets import executor, images, step
from supernet import Supernet
from supernet.errors import UsageError
from supernet.space.restriction import Restriction
from supernet.train import Context, Decided, OptionLogits, Strongest


def context(net: Supernet) -> Context:
    parts = {"architecture": OptionLogits(net)}
    with torch.no_grad():
        for choice, logits in parts["architecture"].named():
            logits.copy_(torch.tensor([float(option == "conv3") for option in choice.options]))
    now = replace(step(net, parts=parts), restriction=Restriction(net.space))
    return Context(now, executor(net, images()))


def test_edges_that_no_node_keeps_need_no_decision() -> None:
    net = cells_net(kinds=("normal",))
    now = context(net)
    now.restriction.decide("normal.3", (0, 2))
    for name in ("normal.2<-0", "normal.2<-1", "normal.3<-0", "normal.3<-2"):
        now.restriction.decide(name, "skip")
    found = Decided().derive(now)
    assert found in net.space
    assert found["normal.3"] == (0, 2)
    assert [found[name] for name in ("normal.2<-0", "normal.2<-1", "normal.3<-0", "normal.3<-2")] == ["skip"] * 4


def test_what_is_open_is_said_or_derived_otherwise() -> None:
    now = context(cells_net(kinds=("normal",)))
    now.restriction.decide("normal.2<-0", "skip")
    with pytest.raises(UsageError, match=r"architectures are left, since 'normal.2<-1'.* are not decided"):
        Decided().derive(now)
    found = Decided(otherwise=Strongest()).derive(now)
    assert (found["normal.2<-0"], found["normal.2<-1"]) == ("skip", "conv3")


def test_the_other_derivation_is_checked_before_training() -> None:
    with pytest.raises(UsageError, match="no choice of the supernet has it"):
        Decided(otherwise=Strongest(exclude=("nothing",))).check(cells_net())
