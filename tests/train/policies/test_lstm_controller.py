"""The LSTM controller: what it draws is a distribution, by the formulas of the paper."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from small_nets import elastic_net, operations_net, step
from supernet import Choice, InputChoice, OpChoice, Supernet
from supernet.errors import UsageError
from supernet.nn.turns import Turn, turns_of
from supernet.space import Arch
from supernet.space.restriction import Restriction
from supernet.train import Controller, LSTMController, Policy, Setting, Step


class Nodes(nn.Module):
    """A tiny cell of two nodes as in ENAS's micro space: an input and an operation each; as many chains as names."""

    def __init__(self, cells: tuple[str, ...] = ("normal",)) -> None:
        super().__init__()
        self.cells = cells
        self.edges = nn.ModuleDict()
        for cell in cells:
            for node in (2, 3):
                op = Choice(f"{cell}.{node} op", ("conv", "pool", "skip")[: node + 1])
                edges = [OpChoice(op, {option: nn.Identity() for option in op.options}) for _ in range(node)]
                self.edges[f"{cell}{node}"] = InputChoice(
                    Choice(f"{cell}.{node} in", tuple((state,) for state in range(node))), edges
                )

    def turns(self) -> tuple[Turn, ...]:
        return tuple(Turn((f"{c}.{n} in", f"{c}.{n} op"), c, 2) for c in self.cells for n in (2, 3))

    def forward(self, x: Tensor) -> Tensor:
        states = [x, x]
        for edge in self.edges.values():
            states.append(edge(states))
        return states[-1]


class Skips(nn.Module):
    """A tiny network of three layers as in ENAS's macro space: an operation each, and any set of earlier layers."""

    def __init__(self) -> None:
        super().__init__()
        options = ("conv", "pool")
        self.ops = nn.ModuleList(OpChoice(f"{n} op", {o: nn.Identity() for o in options}) for n in range(3))
        self.skips = nn.ModuleList(
            InputChoice(Choice(f"{n} skips", subsets), [nn.Identity() for _ in range(n)])
            for n, subsets in ((1, ((), (0,))), (2, ((), (0,), (1,), (0, 1))))
        )

    def turns(self) -> tuple[Turn, ...]:
        return (Turn(("0 op",), "layers"), *(Turn((f"{n} op", f"{n} skips"), "layers") for n in (1, 2)))

    def forward(self, x: Tensor) -> Tensor:
        return x


SPACES: dict[str, Callable[[], Supernet]] = {
    "operations": operations_net,
    "gated sizes": elastic_net,
    "nodes": lambda: Supernet(Nodes()),
    "skips": lambda: Supernet(Skips()),
}


def built(net: Supernet, **settings: Any) -> Controller:
    """A controller with parameters so large that no two options are alike."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        controller = LSTMController(**settings)(Setting(net, 0, {}))
        for parameter in controller.parameters():
            nn.init.normal_(parameter)
    return controller.double()


def probabilities(controller: Controller, now: Step) -> dict[str, float]:
    space = now.space
    return {str(arch): math.exp(controller.likelihood(now, arch).log_prob.item()) for arch in space.enumerate()}


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("settings", [{"size": 8}, {"size": 5, "layers": 2, "bias": True, "tanh": None}])
def test_the_probabilities_of_all_architectures_add_up_to_one(name: str, settings: dict[str, Any]) -> None:
    net = SPACES[name]()
    found = probabilities(built(net, **settings), step(net))
    assert len(found) == net.space.size
    assert sum(found.values()) == pytest.approx(1, abs=1e-9)
    assert max(found.values()) > 1.2 / net.space.size


@pytest.mark.parametrize("name", SPACES)
def test_forbidden_options_have_no_share(name: str) -> None:
    net = SPACES[name]()
    restriction = Restriction(net.space)
    last = net.space.choices[-1]
    restriction.allow(last.name, last.options[1:])
    controller, now = built(net, size=8), replace(step(net), restriction=restriction)
    assert sum(probabilities(controller, now).values()) == pytest.approx(1, abs=1e-9)
    assert all(controller.draw(now, f"{i}") in restriction.space for i in range(20))
    (outside, *_) = [arch for arch in net.space.enumerate() if arch not in restriction.space]
    with pytest.raises(UsageError, match="lies outside"):
        controller.likelihood(now, outside)


@pytest.mark.parametrize("name", SPACES)
def test_the_strengths_of_options_are_their_shares_of_what_it_draws(name: str) -> None:
    net = SPACES[name]()
    controller = built(net, size=8)
    told = [controller.strengths(step(net, done)) for done in range(25)]
    p = probabilities(controller, step(net))
    archs = {str(arch): arch for arch in net.space.enumerate()}
    first = controller.turns[0][1][0]
    for choice in net.space.choices:
        column = net.space.column(choice.name)
        shares = torch.zeros(len(choice), dtype=torch.float64)
        for arch in archs.values():
            if net.space.active(arch.code)[column]:
                shares[arch.code[column]] += p[str(arch)]
        rows = torch.stack([one[choice.name] for one in told if choice.name in one])
        assert torch.allclose(rows.sum(1), torch.ones(len(rows), dtype=torch.float64))
        assert torch.allclose(rows.mean(0), shares / shares.sum(), atol=0.06), choice.name
        if choice is first:
            assert torch.allclose(rows, (shares / shares.sum()).expand_as(rows)), "nothing was decided before it"
    assert torch.equal(controller.strengths(step(net))[first.name], told[0][first.name])
    before = torch.get_rng_state()
    controller.strengths(step(net))
    assert torch.equal(torch.get_rng_state(), before)


def test_strengths_of_what_is_forbidden_are_zero_and_of_what_never_matters_not_told() -> None:
    net = SPACES["gated sizes"]()
    restriction = Restriction(net.space)
    restriction.allow("depth", (0,))
    restriction.allow("width", (8,))
    told = built(net, size=8).strengths(replace(step(net), restriction=restriction))
    assert {name: values.tolist() for name, values in told.items()} == {"width": [0.0, 1.0], "depth": [1.0, 0.0]}


def test_it_draws_as_often_as_it_says() -> None:
    net = SPACES["skips"]()
    controller, now = built(net, size=8), step(net)
    drawn = [controller.draw(now, f"{number}") for number in range(250)]
    for name in ("0 op", "2 op", "2 skips"):
        said: Counter[object] = Counter()
        for arch, probability in share_by_arch(controller, now):
            said[arch[name]] += probability  # type: ignore[assignment]
        counted = Counter(arch[name] for arch in drawn)
        for option, probability in said.items():
            deviation = math.sqrt(probability * (1 - probability) / len(drawn))
            assert abs(counted[option] / len(drawn) - probability) < 4 * deviation + 1e-3


def test_what_it_draws_depends_on_the_step_and_the_use_alone() -> None:
    net = operations_net()
    controller = built(net, size=8)
    uses = [str(controller.draw(step(net, 3), use)) for use in "abcdefgh"]
    torch.rand(3)
    before = torch.get_rng_state()
    assert uses == [str(controller.draw(step(net, 3), use)) for use in "abcdefgh"]
    assert torch.equal(before, torch.get_rng_state())
    assert len(set(uses)) > 2
    assert uses != [str(controller.draw(step(net, 4), use)) for use in "abcdefgh"]


def test_the_parameters_of_a_space_of_operations() -> None:
    """The sizes of the authors: 64 units; one embedding and one softmax for all choices with the same options."""
    controller = LSTMController()(Setting(operations_net(), 0, {}))
    shapes = {name: tuple(p.shape) for name, p in controller.named_parameters()}
    assert shapes == {
        "start": (1, 64),
        "cells.0.weight_ih": (256, 64),
        "cells.0.weight_hh": (256, 64),
        "embeddings.0.weight": (3, 64),
        "heads.0.weight": (3, 64),
    }
    assert max(p.abs().max().item() for p in controller.parameters()) <= 0.1
    assert isinstance(controller, Policy)


def lstm(x: Tensor, h: Tensor, c: Tensor, cell: nn.LSTMCell) -> tuple[Tensor, Tensor]:
    """The equations of an LSTM, by hand."""
    gates = x @ cell.weight_ih.T + h @ cell.weight_hh.T
    i, f, g, o = gates.chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def test_a_space_of_operations_by_hand() -> None:
    net = operations_net()
    controller = built(net, size=8, tanh=2.5, temperature=5.0)
    arch = net.space.arch({"block0": "skip", "block1": "conv1"})
    found = controller.likelihood(step(net), arch)
    h = c = torch.zeros(1, 8).double()
    x, expected, entropy = controller.start, torch.zeros(()).double(), 0.0
    for code in (2, 1):
        h, c = lstm(x, h, c, controller.cells[0])  # type: ignore[arg-type]
        logits = 2.5 * torch.tanh(h @ controller.heads[0].weight.T / 5.0)[0]  # type: ignore[operator]
        p = logits.softmax(0)
        expected, entropy = expected + p[code].log(), entropy - (p * p.log()).sum().item()
        x = controller.embeddings[0].weight[code : code + 1]  # type: ignore[index]
    assert found.log_prob.item() == pytest.approx(expected.item(), abs=1e-12)
    assert found.entropy.item() == pytest.approx(entropy, abs=1e-12)
    assert not found.entropy.requires_grad
    assert found.penalty.item() == 0


def test_nodes_by_hand() -> None:
    """As the authors' micro controller goes: two steps for the inputs, inputs by attention, one step behind a node."""
    net = SPACES["nodes"]()
    controller = built(net, size=8, tanh=1.1, reduce=2.5)
    arch = net.space.arch({"normal.2 in": (1,), "normal.2 op": "pool", "normal.3 in": (2,), "normal.3 op": "conv"})
    w1, w2, v = (layer.weight for layer in controller.attention)  # type: ignore[union-attr]
    h = c = torch.zeros(1, 8).double()
    read, attended, log_prob = [], [], torch.zeros(()).double()
    x = controller.start
    for _ in range(2):
        h, c = lstm(x, h, c, controller.cells[0])  # type: ignore[arg-type]
        read.append(torch.zeros(1, 8).double())
        attended.append(h @ w1.T)
    for source, op in ((1, 1), (2, 0)):
        h, c = lstm(x, h, c, controller.cells[0])  # type: ignore[arg-type]
        logits = 1.1 * torch.tanh((torch.cat(attended) + h @ w2.T).tanh() @ v.T)[:, 0]
        log_prob = log_prob + logits.log_softmax(0)[source]
        h, c = lstm(read[source], h, c, controller.cells[0])  # type: ignore[arg-type]
        place = controller.vocabularies.index(("conv", "pool", "skip"))
        logits = 1.1 / 2.5 * torch.tanh(h @ controller.heads[place].weight.T)[0]  # type: ignore[operator]
        log_prob = log_prob + logits.log_softmax(0)[op]
        embedded = controller.embeddings[place].weight[op : op + 1]  # type: ignore[index]
        h, c = lstm(embedded, h, c, controller.cells[0])  # type: ignore[arg-type]
        read.append(h)
        attended.append(h @ w1.T)
        x = controller.start
    assert controller.likelihood(step(net), arch).log_prob.item() == pytest.approx(log_prob.item(), abs=1e-12)


@pytest.mark.parametrize("rate", ["probability", "half_logit"])
def test_skips_by_hand(rate: str) -> None:
    """As the authors' macro controller goes: an input is in or out by logits ± l, and KL to the prior is a penalty."""
    net = SPACES["skips"]()
    controller = built(net, size=8, skip_rate=rate, skip_target=0.3, skip_weight=0.7)
    decisions = {"0 op": "pool", "1 op": "conv", "1 skips": (0,), "2 op": "pool", "2 skips": (0, 1)}
    w1, w2, v = (layer.weight for layer in controller.attention)  # type: ignore[union-attr]
    h = c = torch.zeros(1, 8).double()
    read: list[Tensor] = []
    attended: list[Tensor] = []
    divergences, log_prob = [], torch.zeros(()).double()
    x = controller.start
    for layer in range(3):
        h, c = lstm(x, h, c, controller.cells[0])  # type: ignore[arg-type]
        op = ("conv", "pool").index(decisions[f"{layer} op"])  # type: ignore[arg-type]
        logits = 1.5 * torch.tanh(h @ controller.heads[0].weight.T)[0]  # type: ignore[operator]
        log_prob = log_prob + logits.log_softmax(0)[op]
        embedded = controller.embeddings[0].weight[op : op + 1]  # type: ignore[index]
        h, c = lstm(embedded, h, c, controller.cells[0])  # type: ignore[arg-type]
        x = controller.start
        if layer:
            logit = 1.5 * torch.tanh((torch.cat(attended) + h @ w2.T).tanh() @ v.T)[:, 0]
            two = torch.stack([-logit, logit], dim=1)
            taken = torch.tensor([float(j in decisions[f"{layer} skips"]) for j in range(layer)]).double()
            log_prob = log_prob + two.log_softmax(1)[range(layer), taken.long()].sum()
            p = two.softmax(1) if rate == "probability" else two.sigmoid()
            divergences.append((p * (p / torch.tensor([0.7, 0.3]).double()).log()).sum())
            x = (taken @ torch.cat(read) / (1 + taken.sum()))[None]
        read.append(h)
        attended.append(h @ w1.T)
    found = controller.likelihood(step(net), net.space.arch(decisions))
    assert found.log_prob.item() == pytest.approx(log_prob.item(), abs=1e-12)
    assert found.penalty.item() == pytest.approx(0.7 * torch.stack(divergences).mean().item(), rel=1e-6)


@pytest.mark.slow
def test_the_penalty_alone_leads_to_the_prior() -> None:
    net = SPACES["skips"]()
    controller = fresh(net, LSTMController(size=8))
    optimiser = torch.optim.Adam(controller.parameters(), lr=0.05)
    for number in range(60):
        optimiser.zero_grad()
        controller.likelihood(step(net), controller.draw(step(net), f"{number}")).penalty.backward()
        optimiser.step()
    shares = share_by_arch(controller, step(net))
    rate = sum(share * (len(a["1 skips"]) + len(a["2 skips"])) for a, share in shares) / 3  # type: ignore[arg-type]
    assert rate == pytest.approx(0.4, abs=0.04)


def fresh(net: Supernet, settings: LSTMController) -> Controller:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return settings(Setting(net, 0, {}))


def share_by_arch(controller: Controller, now: Step) -> list[tuple[Arch, float]]:
    return [(arch, math.exp(controller.likelihood(now, arch).log_prob.item())) for arch in now.space.enumerate()]


def test_favoured_options_are_picked_more_often_at_first_and_a_little_in_the_first_chain_for_good() -> None:
    net = Supernet(Nodes(("normal", "reduce")))
    controller = fresh(net, LSTMController(tanh=1.1, reduce=2.5, favour=("conv", "pool")))
    for cell, constant in (("normal", 0.25), ("reduce", 0.0)):
        decided = {c.name: c.options[:1] for c in net.space.choices if not c.name.startswith(f"{cell}.2")}
        shares = share_by_arch(controller, step(net).within(net.space.restrict(decided)))
        weights = np.exp([0.44 * math.tanh(10) + constant] * 2 + [-constant])
        share = sum(share for arch, share in shares if arch[f"{cell}.2 op"] == "skip")
        assert share == pytest.approx(weights[2] / weights.sum(), abs=0.01)
    assert [head.bias is not None for head in controller.heads] == [True] * len(controller.heads)
    with pytest.raises(UsageError, match="no choice of the supernet has it"):
        LSTMController(favour=("nothing",))(Setting(net, 0, {}))


@pytest.mark.parametrize(
    "settings",
    [
        {"size": 0},
        {"layers": 0},
        {"tanh": 0.0},
        {"temperature": 0.0},
        {"reduce": -1.0},
        {"skip_target": 1.0},
        {"skip_weight": -0.1},
        {"skip_rate": "none"},
    ],
)
def test_settings_outside_their_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        LSTMController(**settings)


class Forgetful(Nodes):
    def turns(self) -> tuple[Turn, ...]:
        return super().turns()[:1]


class Hasty(Nodes):
    def turns(self) -> tuple[Turn, ...]:
        return tuple(reversed(super().turns()))


def test_turns_name_every_choice_once_and_take_what_was_decided_before() -> None:
    assert turns_of(operations_net()) == (Turn(("block0", "block1")),)
    with pytest.raises(UsageError, match="Name every choice"):
        turns_of(Supernet(Forgetful()))
    net = Supernet(Hasty())
    with pytest.raises(UsageError, match="only 2 were decided"):
        built(net, size=4).draw(step(net), "a")
