"""DARTS-: the auxiliary skip beside the operations, its weight over the training, and its absence afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from method_trials import digits, moves, on_digits, published, squares, train
from small_nets import convolution, operations_net, step
from supernet import Mixture, OpChoice, Supernet, zoo
from supernet.errors import UsageError
from supernet.measure import calibrate, cost_model
from supernet.methods import darts, darts_minus
from supernet.methods.cells.darts import ARCHITECTURE
from supernet.methods.cells.darts_minus import BETA, BETA_BY_EPOCH, BETA_COSINE
from supernet.nn import Decisions
from supernet.train import Ramp, Recipe, adam, fit, sgd
from supernet.train.laws import Trial
from supernet.zoo.cells.cell_edge import AuxiliarySkip, Edge


def edges_net() -> Supernet:
    """Two edges of three operations, each with an auxiliary skip."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        edges = [
            Edge(
                OpChoice(f"block{i}", {"conv3": convolution(8, 3), "conv1": convolution(8, 1), "skip": nn.Identity()}),
                nn.Identity(),
            )
            for i in range(2)
        ]
        return Supernet(
            nn.Sequential(
                nn.Conv2d(1, 8, 3, padding=1, stride=2),
                *edges,
                nn.AdaptiveAvgPool2d(2),
                nn.Flatten(),
                nn.Linear(32, 10),
            )
        )


TRIALS = {
    "darts_minus": lambda: on_digits(darts_minus().with_weights(lr=0.1), edges_net()),
    "darts_minus, nas-bench-201": lambda: Trial(
        recipe=darts_minus().with_weights(lr=0.1),
        net=zoo.nasbench201(channels=4, cells=1, in_channels=1, aux_skip=True),
        data=digits(),
        measure=lambda trained: trained.history[0]["loss"] - trained.history[-1]["loss"],
        least=0.3,
        steps=24,
    ),
}
ALTERNATIVES = {
    "beta": BETA_COSINE,
    "order": 2,
    "exclude": ("skip",),
    "weights": sgd(0.1),
    "architecture": adam(0.1),
}
SETTINGS = {"beta": Ramp(1.0, 0.0), "order": 1, "exclude": ()}
SHORT = {"beta": 0.0}  # for nets without the auxiliary skip
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}


def test_the_settings_are_those_of_darts_and_beta_goes_from_one_to_zero() -> None:
    assert published(darts_minus().weights) == published(darts().weights)
    assert darts_minus().parts == darts().parts
    net = operations_net()
    linear = [BETA(step(net, index, total=5)) for index in range(5)]
    assert linear == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0])
    assert BETA_COSINE(step(net, 1, total=4)) == pytest.approx(0.75)
    by_epoch = [BETA_BY_EPOCH(replace(step(net, index, total=100), steps_per_epoch=2)) for index in range(100)]
    assert by_epoch == pytest.approx([(50 - index // 2) / 50 for index in range(100)])
    found, expected = moves(darts_minus(), operations_net()), moves(darts(), operations_net())
    assert [(m.updates, m.data, m.gradient) for m in found] == [(m.updates, m.data, m.gradient) for m in expected]


def test_second_order_is_that_of_darts_and_what_is_excluded_is_not_derived() -> None:
    found, expected = moves(darts_minus(order=2), operations_net()), moves(darts(order=2), operations_net())
    assert [(m.updates, m.gradient) for m in found] == [(m.updates, m.gradient) for m in expected]
    trained = on_squares(darts_minus(exclude=("conv1", "conv3")), edges_net(), steps=2)
    assert set(trained.derived.options().values()) == {"skip"}


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, bool]]:
    """From now on: β of every pass of an auxiliary skip, and whether it added β x to what it was given."""
    found: list[tuple[float, bool]] = []
    original: Callable[..., Tensor] = AuxiliarySkip.forward

    def noting(self: AuxiliarySkip, x: Tensor, out: Tensor) -> Tensor:
        result = original(self, x, out)
        beta = self.selection.setting("aux_skip", 0.0)
        found.append((beta, torch.allclose(result, out + beta * x)))
        return result

    monkeypatch.setattr(AuxiliarySkip, "forward", noting)
    return found


def on_squares(recipe: Recipe, net: Supernet, *, steps: int, **options: Any) -> Any:
    return fit(net, recipe, squares(), steps=steps, batch_size=16, accelerator="cpu", progress=False, **options)


def test_both_moves_of_every_step_run_with_the_beta_of_the_step(noted: list[tuple[float, bool]]) -> None:
    on_squares(darts_minus(), edges_net(), steps=5)
    tried_out = len(noted) - 5 * 2 * 2
    assert [beta for beta, _ in noted[:tried_out]] == [0.0] * tried_out, "what is tried out before has none"
    betas = [beta for beta, _ in noted[tried_out:]]
    assert betas == pytest.approx([beta for beta in (1.0, 0.75, 0.5, 0.25, 0.0) for _ in range(2 * 2)])
    assert all(added for _, added in noted)


def test_an_edge_is_the_mixture_and_beta_times_the_skip() -> None:
    net = edges_net().eval()
    seen: list[tuple[Tensor, Tensor]] = []
    edge = next(module for module in net.modules() if isinstance(module, Edge))
    edge.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0], output)))
    weights = torch.tensor([0.5, 0.2, 0.3])
    decisions = Decisions({"block0": Mixture(weights), "block1": 2})
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with net.active(decisions, settings={"aux_skip": 0.4}):
        net(x)
    (inside, out) = seen[0]
    candidates = edge.op.candidates.values()  # type: ignore[union-attr]
    expected = sum(w * op(inside) for w, op in zip(weights, candidates, strict=True)) + 0.4 * inside  # type: ignore[operator]
    torch.testing.assert_close(out, expected)


def test_the_gradient_goes_through_the_skip_too() -> None:
    """What makes a deep net easy to train: of the sum over an edge's output, β to every entry of its input."""
    x = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    net = Supernet(Edge(OpChoice("block", {"zero": Scaling(0.0), "twice": Scaling(2.0)}), nn.Identity()))
    with net.active(Decisions({"block": Mixture(torch.tensor([0.7, 0.3]))}), settings={"aux_skip": 0.4}):
        net(x).sum().backward()
    torch.testing.assert_close(x.grad, torch.full_like(x, 0.3 * 2 + 0.4))


class Scaling(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def test_drop_path_spares_the_skip_and_a_decided_identity_has_it_too() -> None:
    """Of an edge of every decision: each image has β x, and what the operation adds is dropped, or twice as much."""
    candidates = {"scaled": Scaling(0.5), "skip": nn.Identity()}
    net = Supernet(Edge(OpChoice("block", candidates), nn.Identity())).train()
    x = torch.rand(64, 8, 2, 2, generator=torch.Generator().manual_seed(0)) + 0.5
    for decision, added in ((0, 0.5), (Mixture(torch.tensor([0.6, 0.2])), 0.5), (1, None)):
        with net.active(Decisions({"block": decision}), settings={"aux_skip": 0.4, "drop_path": 0.5}):
            factors = (net(x) / x - 0.4).flatten(1)
        torch.testing.assert_close(factors, factors[:, :1].expand_as(factors))
        seen = sorted(set(factors[:, 0].mul(1000).round().div(1000).tolist()))
        assert seen == pytest.approx([1.0] if added is None else [0.0, 2 * added], abs=2e-3), decision


def test_cells_of_darts_have_it_on_reducing_edges_too() -> None:
    options: dict[str, Any] = {"channels": 4, "layers": 3, "nodes": 1, "in_channels": 1, "image_size": 8}
    plain, net = (
        zoo.darts(operations=("skip_connect", "sep_conv_3x3"), aux_skip=aux_skip, **options)
        for aux_skip in (False, True)
    )
    skips = [module.skip for module in net.modules() if isinstance(module, AuxiliarySkip)]
    halving = sum(not isinstance(skip, nn.Identity) for skip in skips)
    assert (len(skips), halving) == (6, 4), "two of three cells reduce, on both of their edges"
    trained = on_squares(darts_minus(), net, steps=2)
    assert trained.derived is not None
    costs = [(cost_model(one).params(trained.derived), cost_model(one).macs(trained.derived)) for one in (plain, net)]
    assert costs[0] == costs[1], "costs leave it out"
    calibrate(trained.net, trained.derived, squares())
    sub = trained.net.extract(trained.derived)
    assert not any(isinstance(module, AuxiliarySkip) for module in sub.modules())


def test_what_is_derived_runs_without_it() -> None:
    trained = on_squares(darts_minus(), edges_net(), steps=3)
    net = trained.net.eval()
    calibrate(net, trained.derived, squares())
    x = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    alone = net.extract(trained.derived).eval()
    torch.testing.assert_close(alone(x), net(x, trained.derived))
    with net.active(trained.derived, settings={"aux_skip": 1.0}):
        assert not torch.allclose(net(x), alone(x)), "the setting would have changed it"


def test_with_beta_zero_it_is_darts_bitwise_and_otherwise_it_is_not() -> None:
    plain = on_squares(darts(), edges_net(), steps=4)
    found = {beta: on_squares(darts_minus(beta=beta), edges_net(), steps=4) for beta in (0.0, BETA, 0.5)}
    same = {
        beta: all(torch.equal(a, b) for a, b in zip(trained.net.parameters(), plain.net.parameters(), strict=True))
        for beta, trained in found.items()
    }
    assert same == {0.0: True, BETA: False, 0.5: False}


class Shrinking(nn.Module):
    """A candidate that passes little on."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return 0.1 * torch.tanh(self.conv(x))


def deep_net() -> Supernet:
    """Four edges in a row, on each of which a skip connection is what lets the image through."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        options = [{"op": Shrinking(), "skip": nn.Identity()} for _ in range(4)]
        edges = [Edge(OpChoice(f"block{i}", of), nn.Identity()) for i, of in enumerate(options)]
        return Supernet(
            nn.Sequential(
                nn.Conv2d(1, 8, 3, padding=1), *edges, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10)
            )
        )


def preference(recipe: Recipe) -> float:
    """How much more the skip connections weigh than the other operation, in the mean."""
    logits = on_squares(recipe, deep_net(), steps=30).parts["architecture"].logits
    return sum((row[1] - row[0]).item() for row in logits) / len(logits)


def test_the_candidate_skip_no_longer_gains_from_letting_the_image_through() -> None:
    quick = ARCHITECTURE.with_settings(lr=0.02)
    usual = preference(darts(architecture=quick).with_weights(lr=0.05))
    beside = preference(darts_minus(beta=1.0, architecture=quick).with_weights(lr=0.05))
    assert usual > 0.2
    assert beside < 0.6 * usual


def test_a_space_without_it_and_a_negative_beta_are_refused() -> None:
    with pytest.raises(UsageError, match="'aux_skip', which no layer"):
        train(darts_minus(), steps=1)
    for beta in (-0.5, Ramp(1.0, -1.0)):
        with pytest.raises(UsageError, match="beta"):
            darts_minus(beta=beta)
