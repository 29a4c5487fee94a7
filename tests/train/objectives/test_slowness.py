"""How fast states change: by hand, in the log of a training, and what is refused."""

from __future__ import annotations

import pytest
import torch

from small_nets import operations_net, step
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Output
from supernet.train import CrossEntropy, Ramp, Slowness
from supernet.train.move import Outcome, Path


def outcome(states: torch.Tensor, index: int = 0) -> Outcome:
    torch.manual_seed(0)
    batch = Batch(torch.zeros(2, 1, 8, 8), torch.tensor([0, 1]))
    now = step(operations_net(), index)
    return Outcome(Output(torch.randn(2, 10)), batch, now, taps={"cell": states})


def test_it_is_the_mean_square_of_neighbours_differences() -> None:
    states = torch.tensor([[[1.0, 2.0], [3.0, 2.0], [3.0, 7.0]], [[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]]])
    found = Slowness(CrossEntropy(0.1), 0.5)(outcome(states))
    assert found["slowness"].item() == pytest.approx(0.5 * (4 + 0 + 0 + 25 + 0 + 1 + 0 + 1) / 8)
    assert found["loss"] == CrossEntropy(0.1)(outcome(states))
    rising = Slowness(weight=Ramp(0.0, 1.0))
    assert rising(outcome(states, 0))["slowness"] < rising(outcome(states, 9))["slowness"]


def test_the_gradient_reaches_the_states() -> None:
    states = torch.zeros(1, 2, 1, requires_grad=True)
    with torch.no_grad():
        states[0, 1] = 3.0
    Slowness(weight=1.0)(outcome(states))["slowness"].backward()
    assert states.grad is not None
    assert states.grad.flatten().tolist() == [-6.0, 6.0]


def test_a_path_taps_what_its_objective_names() -> None:
    arch = operations_net().space.smallest()
    assert Path(arch, Slowness(), taps=("head", "cell")).tapped == ("head", "cell")
    assert Path(arch, Slowness(states="rnn")).tapped == ("rnn",)
    assert Path(arch, CrossEntropy()).tapped == ()


def test_what_it_refuses_and_what_it_is_alone() -> None:
    with pytest.raises(UsageError, match="weight of the slowness"):
        Slowness(weight=-1.0)
    for shape in ((2, 1, 3), (2, 3)):
        with pytest.raises(UsageError, match="neighbouring places"):
            Slowness()(outcome(torch.zeros(shape)))
    assert Slowness(CrossEntropy(0.3), 0.2).alone() == Slowness(CrossEntropy(0.3), 0.2)
    assert Slowness().chance(2.3) is None
