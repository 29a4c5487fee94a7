"""The strongest options and edges, where some options are forbidden."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cell_nets import cells_net
from small_nets import executor, images, step
from supernet.space.restriction import Restriction
from supernet.train import Context, OptionLogits, Strongest


@pytest.mark.parametrize(("forbidden", "expected"), [((), (0, 2)), (("none",), (0, 1)), (("none", "conv1"), (0, 1))])
def test_forbidden_options_make_no_edge_weak(forbidden: tuple[str, ...], expected: tuple[int, int]) -> None:
    """Edge 0 is sure; on edge 1 what is forbidden had most of the probability, and edge 2 beats it with all options."""
    net = cells_net(kinds=("normal",))
    logits = {"normal.3<-0": [0.0, 9.0, 0.0, 0.0], "normal.3<-1": [4.0, 3.0, 0.0, 0.0], "normal.3<-2": [0, 1.5, 0, 0.5]}
    part, restriction = OptionLogits(net), Restriction(net.space)
    with torch.no_grad():
        for choice, values in part.named():
            values.copy_(torch.tensor(logits.get(choice.name, [0.0] * 4)))
            restriction.allow(choice.name, [option for option in choice.options if option not in forbidden])
    now = replace(step(net, parts={"architecture": part}), restriction=restriction)
    found = Strongest(exclude=("none",)).derive(Context(now, executor(net, images())))
    assert found["normal.3"] == expected
    assert [found[f"normal.3<-{source}"] for source in expected] == ["skip"] * 2
