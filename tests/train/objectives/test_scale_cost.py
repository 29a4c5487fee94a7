"""The sum of scales by what their channels cost, against the formula written down again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from small_nets import step
from supernet import ElasticBatchNorm2d, ElasticConv2d, OpChoice, Supernet
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn.channels import Atoms, Channels
from supernet.nn.output import Output
from supernet.train import Outcome, ScaleCost
from supernet.train.rewriting import Rewriter


class Two(nn.Module):
    """Three channels of 7 each, and five tokens of 10 each and 2 for every pair."""

    def __init__(self) -> None:
        super().__init__()
        hidden, tokens = Channels("hidden", 3), Channels("tokens", 5)
        self.hidden = nn.Sequential(ElasticConv2d(1, hidden, 1), ElasticBatchNorm2d(hidden))
        self.tokens = nn.Sequential(ElasticConv2d(1, tokens, 1), ElasticBatchNorm2d(tokens))

    def atoms(self) -> Sequence[Atoms]:
        return (
            Atoms(dimension="hidden", scale="hidden.1", cost=7.0),
            Atoms(dimension="tokens", scale="tokens.1", cost=10.0, pairs=2.0),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.hidden(x), self.tokens(x)], 1)


SCALES = torch.tensor([0.5, -2.0, 0.0]), torch.tensor([1.0, -3.0, 5e-4, 0.25, 2.0])
MEAN = (3 * 7 + 5 * 10 + 2 * 25) / 8


def net() -> Supernet:
    made = Supernet(Two())
    with torch.no_grad():
        for name, scale in zip(("hidden", "tokens"), SCALES, strict=True):
            made.get_parameter(f"module.{name}.1.weight").copy_(scale)
    return made


def outcome(of: Supernet, memory: dict[str, Any]) -> Outcome:
    now = step(of)
    now.memory.update(memory)
    return Outcome(Output(torch.zeros(1, 2)), Batch(torch.zeros(1), torch.zeros(1)), now)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_it_is_the_formula(share: float) -> None:
    """The third token is dead: four are alive, of five."""
    made = net()
    token = 10 + (1 - share) * 2 * 5 + share * 2 * (4**2 - 3**2)
    expected = (7 * 2.5 + token * float(SCALES[1].abs().sum())) / MEAN
    assert ScaleCost(quadratic=share)(outcome(made, {})).item() == pytest.approx(expected, rel=1e-6)
    all_alive = 10 + (1 - share) * 2 * 5 + share * 2 * (5**2 - 4**2)
    found = ScaleCost(quadratic=share, threshold=0.0)(outcome(made, {}))
    assert found.item() == pytest.approx((7 * 2.5 + all_alive * float(SCALES[1].abs().sum())) / MEAN, rel=1e-6)


def test_half_is_the_released_cost_of_tokens() -> None:
    """((F − 2 n₀² · 64) / n₀ + 2 (n² − (n − 1)²) · 64) / norm, F the cost of n₀ tokens in two attentions."""
    linear, first = 51584.0, 64
    whole = linear * first + 4 * 64 * first**2
    atoms = Atoms(dimension="tokens", scale="", cost=linear, pairs=4 * 64.0)
    assert atoms.total(first) == whole
    for alive in (64, 20, 1, 0):
        scale = torch.cat([torch.ones(alive), torch.zeros(64 - alive)])
        found = ScaleCost().cost(atoms, scale, {"mean": 3.0, "numbers": {"tokens": first}})
        released = (whole - 2 * first**2 * 64) / first + 2 * (alive**2 - max(alive - 1, 0) ** 2) * 64
        assert float(found) == pytest.approx(released / 3)


def test_with_all_pairs_it_is_what_the_next_cut_saves() -> None:
    atoms = Atoms(dimension="tokens", scale="", cost=10.0, pairs=2.0)
    for alive in (1, 2, 5):
        found = ScaleCost(quadratic=1.0).cost(atoms, torch.ones(alive), {"mean": 1.0, "numbers": {"tokens": 9}})
        assert float(found) == atoms.total(alive) - atoms.total(alive - 1)


def test_mean_and_first_numbers_stay_when_channels_are_cut() -> None:
    made, memory = net(), {}
    before = outcome(made, memory)
    ScaleCost()(before)
    assert before.step.memory == {"atoms": {"mean": MEAN, "numbers": {"tokens": 5}}}
    Rewriter(made, {}, None, dict, 0).take("tokens", [0, 1, 3, 4])
    after = ScaleCost()(outcome(made, dict(before.step.memory)))
    token = 10 + 0.5 * 2 * 5 + 0.5 * 2 * (4**2 - 3**2)
    assert after.item() == pytest.approx((7 * 2.5 + token * 6.25) / MEAN, rel=1e-6)


def test_scales_are_pulled_to_zero_each_by_its_cost_and_nothing_else() -> None:
    made = net()
    ScaleCost(equal=True)(outcome(made, {})).backward()
    for name, scale in zip(("hidden", "tokens"), SCALES, strict=True):
        assert torch.equal(made.get_parameter(f"module.{name}.1.weight").grad, scale.sign())  # type: ignore[arg-type]
    assert sum(p.grad is not None for p in made.parameters()) == 2
    made.zero_grad()
    ScaleCost()(outcome(made, {})).backward()
    gradient = made.get_parameter("module.hidden.1.weight").grad
    assert gradient is not None
    torch.testing.assert_close(gradient, 7 / MEAN * SCALES[0].sign())


def test_what_it_cannot_charge_is_refused() -> None:
    with pytest.raises(UsageError, match="does not say which of its channels"):
        ScaleCost()(outcome(Supernet(nn.Sequential(OpChoice("op", {"a": nn.Identity(), "b": nn.ReLU()}))), {}))
    for wrong in ({"quadratic": 1.5}, {"quadratic": -0.1}, {"threshold": -1.0}):
        with pytest.raises(UsageError):
            ScaleCost(**wrong)
