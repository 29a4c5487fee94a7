"""The pull to the server's weights: over what a path has used, by hand; and the state of each client's optimiser."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from small_nets import images, operations_net, step
from supernet import Supernet
from supernet.errors import UsageError
from supernet.nn.output import Output
from supernet.train import CopyPerClient, CrossEntropy, NearReference, Outcome, OwnNet, Path, PerClient, Step
from supernet.train.alone import alone
from supernet.train.objectives.near_reference import used_parameters
from supernet.train.part import Setting
from supernet.train.parts.copy_per_client import ClientNets


def clients(count: int = 2) -> Step:
    """The second client's turn; its net is not the first one's, nor the server's."""
    nets = [operations_net(seed=number) for number in range(count)]
    now: Step = step(operations_net(seed=8), parts={"personal": ClientNets(nets), "server": operations_net(seed=9)})
    now.memory["federation"] = {"client": 1, "of": count, "round": 0}
    return now


def test_the_pull_is_over_the_parameters_that_the_path_used() -> None:
    now, pull = clients(), 0.3
    own, server = now.part("personal.1", Supernet), now.part("server", Supernet)
    batch = next(images().train.batches(8))
    arch = own.space.arch({"block0": "conv3", "block1": "skip"})
    with own.active(arch):
        outcome = Outcome(Output(own(batch.x)), batch, now)
    found = NearReference(pull=pull)(outcome)
    pairs = [(dict(own.named_parameters())[n], dict(server.named_parameters())[n]) for n in _of(own, "conv3")]
    by_hand = pull / 2 * sum(float(((p - r).detach() ** 2).sum()) for p, r in pairs)
    assert len(pairs) == 4 + 3 + 2  # stem, one operation, classifier
    assert float(found["near"].detach()) == pytest.approx(by_hand, rel=1e-5)
    assert float(found["task"].detach()) == pytest.approx(float(F.cross_entropy(outcome.logits, batch.y).detach()))
    sum(found.values()).backward()  # type: ignore[union-attr]
    assert all(p.grad is None for p in server.parameters())
    last, anchor = pairs[-1]
    only = torch.autograd.grad(NearReference(pull=pull)(_again(own, arch, batch, now))["near"], last)[0]
    assert torch.allclose(only, pull * (last - anchor), atol=1e-7)


def _again(own: Supernet, arch: object, batch: object, now: Step) -> Outcome:
    with own.active(arch):  # type: ignore[arg-type]
        return Outcome(Output(own(batch.x)), batch, now)  # type: ignore[attr-defined,arg-type]


def _of(net: Supernet, option: str) -> list[str]:
    """The parameters of a path through this option of the first block and through none of the second."""
    names = []
    for name, _ in net.named_parameters():
        inside = ".candidates." in name
        if not inside or (name.startswith("module.3.") and f".{option}." in name):
            names.append(name)
    return names


def test_without_a_pull_the_loss_is_the_other_one() -> None:
    found: object = alone(NearReference())
    assert found == CrossEntropy()
    with pytest.raises(UsageError, match="The pull to the reference"):
        NearReference(pull=float("inf"))


def test_a_net_without_a_gradient_has_no_used_parameters() -> None:
    net = operations_net()
    with torch.no_grad(), net.active(net.space.largest()):
        assert used_parameters(net(torch.zeros(2, 1, 8, 8))) == set()


def test_a_module_inside_a_part_is_named_with_a_dot() -> None:
    now = clients()
    assert now.part("personal.1", Supernet) is now.part("personal", ClientNets)[1]
    with pytest.raises(UsageError, match=r"'personal\.2' of the kind Supernet is needed, but none is there"):
        now.part("personal.2", Supernet)


def test_outside_a_federation_there_are_no_clients() -> None:
    now = step(operations_net())
    batch = next(images().train.batches(2))
    path = Path(now.net.space.largest(), CrossEntropy())
    for ask in (lambda: PerClient().group(now, []), lambda: OwnNet()(now, path, batch)):
        with pytest.raises(UsageError, match="this training has no clients"):
            ask()


def test_copies_are_as_many_as_the_clients_and_alike() -> None:
    net = operations_net()
    before = copy.deepcopy(net.state_dict())
    setting = Setting(net, 0, {"federation": {"of": 3}})
    nets = CopyPerClient()(setting)
    assert len(nets) == 3
    assert len(CopyPerClient()(setting._replace(memory={}))) == 1
    next(nets[0].parameters()).data.zero_()
    assert all(torch.equal(before[name], value) for name, value in nets[2].state_dict().items())
    assert torch.equal(next(net.parameters()), before[next(iter(before))])
