"""What is open after a training that was stopped is decided as the training would have decided it next."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cell_nets import OPTIONS, cells_net
from small_nets import executor, images, step
from supernet import Supernet
from supernet.errors import RunError
from supernet.space.restriction import Restriction
from supernet.train import Context, DecideEdge, DecideRest, OptionLogits


def context(net: Supernet, seed: int = 0) -> Context:
    """α at random, with `none` above all other options."""
    generator = torch.Generator().manual_seed(seed)
    parts = {"architecture": OptionLogits(net)}
    with torch.no_grad():
        for choice, logits in parts["architecture"].named():
            logits.copy_(torch.randn(len(choice), generator=generator))
            logits[choice.position("none")] = 5.0
    now = replace(step(net, parts=parts), restriction=Restriction(net.space))
    return Context(now, executor(net, images()))


@pytest.mark.parametrize("decided", [0, 3, 6])
def test_it_ends_where_the_decisions_do(decided: int) -> None:
    net = cells_net(nodes=3)
    now, on = context(net), context(net)
    for _ in range(decided):
        DecideEdge()(now)
    kept = {name: list(codes) for name, codes in now.restriction.kept.items()}
    found = DecideRest().derive(now)
    assert now.restriction.kept == kept, "the training keeps what is open in it"
    for _ in range(6):
        DecideEdge()(on)
    assert on.restriction.space.size == 1
    assert str(found) == str(on.restriction.space.smallest())
    edges = {f"{node}<-{source}" for node in net.space.names if "<-" not in node for source in found[node]}  # type: ignore[union-attr]
    assert {found[edge] for edge in edges} <= set(OPTIONS) - {"none"}


def test_what_is_decided_stays() -> None:
    net = cells_net(kinds=("normal",))
    now = context(net)
    now.restriction.decide("normal.3<-2", "none")
    now.restriction.decide("normal.3", (1, 2))
    found = DecideRest(DecideEdge(none=("none", "skip"))).derive(now)
    assert (found["normal.3"], found["normal.3<-2"]) == ((1, 2), "none")
    assert {found[f"normal.{edge}"] for edge in ("2<-0", "2<-1", "3<-1")} <= {"conv1", "conv3"}


def test_probabilities_that_are_not_finite_are_said() -> None:
    now = context(cells_net())
    with torch.no_grad():
        now.step.part("architecture", OptionLogits).logits[0].fill_(float("nan"))
    with pytest.raises(RunError, match="so no edge is surest"):
        DecideRest().derive(now)
