"""What weight decay goes on with when the next stage begins."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from staged_nets import staged_net
from supernet.train import DecayEarlierStages
from supernet.train.part import WEIGHTS


def test_stages_before_count_as_used_and_the_present_one_does_not() -> None:
    """An operation of the present stage that was never drawn has no gradient yet, and so no decay."""
    net = staged_net()
    used: list[set[str]] = []
    for index in range(3):
        stepper = SimpleNamespace(parameters=list(net.parameters()), used=set())
        DecayEarlierStages(index=index)(cast(Any, SimpleNamespace(net=net, steppers={WEIGHTS: stepper})))
        used.append({name.split(".")[1] for name, parameter in net.named_parameters() if parameter in stepper.used})
    assert used == [set(), {"stem", "one"}, {"stem", "one", "two"}]
