"""Cosines between gradients of paths, against computation by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from small_nets import elastic_net, images, operations_net
from supernet import OpChoice, Supernet
from supernet.errors import UsageError
from supernet.measure import agreement, gradient_conflict, path_gradients
from supernet.nn.batch import Batch


class Half(nn.Module):
    """Keeps the first or the second half of the features."""

    def __init__(self, first: bool, size: int = 8) -> None:
        super().__init__()
        mask = torch.zeros(size)
        mask[: size // 2] = 1
        self.register_buffer("mask", mask if first else 1 - mask)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x * self.mask
        return out


def halves() -> Supernet:
    """Two paths that see different features of one linear layer: its gradients are orthogonal."""
    torch.manual_seed(0)
    choice = OpChoice("half", {"first": Half(True), "second": Half(False)})
    return Supernet(nn.Sequential(choice, nn.Linear(8, 3, bias=False)))


def batch_of(net: Supernet) -> Batch:
    del net
    return next(images().train.batches(16, limit=16))


def test_the_cosine_is_that_of_a_computation_by_hand() -> None:
    net = operations_net().train()
    for layer in net.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    batch = batch_of(net)
    archs = [net.space.arch({"block0": "conv3", "block1": op}) for op in ("conv1", "skip", "conv3")]
    flat, stems = [], []
    for arch in archs:
        net.zero_grad()
        F.cross_entropy(net(batch.x, arch), batch.y).backward()
        grads = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
        flat.append(grads)
        stems.append(torch.cat([grads["module.0.weight"].flatten(), grads["module.0.bias"].flatten()]))
    net.zero_grad()
    cosines, layer = [], []
    for i, j in ((0, 1), (0, 2), (1, 2)):
        shared = sorted(flat[i].keys() & flat[j].keys())
        a, b = (torch.cat([flat[k][name].flatten() for name in shared]) for k in (i, j))
        cosines.append(float(a @ b / (a.norm() * b.norm())))
        layer.append(float(stems[i] @ stems[j] / (stems[i].norm() * stems[j].norm())))
    found = gradient_conflict(net, archs, batch)
    assert found.cosine == pytest.approx(sum(cosines) / 3, rel=1e-4)
    assert found.negative == pytest.approx(sum(c < 0 for c in cosines) / 3)
    assert found.layers["0"] == pytest.approx(sum(layer) / 3, rel=1e-4)
    assert "4.candidates.conv1.0" not in found.layers, "only one path uses it"


def test_paths_whose_gradients_are_orthogonal_give_0() -> None:
    net = halves()
    batch = Batch(torch.randn(5, 8), torch.tensor([0, 1, 2, 0, 1]))
    archs = [net.space.arch({"half": option}) for option in ("first", "second")]
    found = gradient_conflict(net, archs, batch)
    assert found.cosine == 0.0
    assert found.negative == 0.0
    assert found.layers == {"1": 0.0}


def test_a_path_agrees_with_itself_and_contradicts_its_opposite() -> None:
    net = operations_net()
    (gradient,) = path_gradients(net, [net.space.smallest()], batch_of(net))
    opposite = {name: -value for name, value in gradient.items()}
    assert agreement([(gradient, gradient)]).cosine == pytest.approx(1)
    found = agreement([(gradient, opposite)])
    assert found.cosine == pytest.approx(-1)
    assert found.negative == 1.0
    assert all(cosine == pytest.approx(-1) for cosine in found.layers.values())


def test_what_is_not_shared_or_zero_has_no_cosine() -> None:
    one, other = {"a.weight": torch.ones(2)}, {"b.weight": torch.ones(2)}
    assert agreement([(one, other)]) == (None, None, {})
    assert agreement([]) == (None, None, {})
    assert agreement([(one, {"a.weight": torch.zeros(2)})]) == (None, None, {})
    both = agreement([(one, other), (one, {"a.weight": torch.tensor([1.0, 0.0])})])
    assert both.cosine == pytest.approx(1 / math.sqrt(2))


@pytest.mark.parametrize("build", [operations_net, elastic_net])
def test_it_leaves_no_trace(build: object) -> None:
    net: Supernet = build()  # type: ignore[operator]
    net.eval()
    modes = [module.training for module in net.modules()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    generator = torch.get_rng_state()
    gradient_conflict(net, [net.space.smallest(), net.space.largest()], batch_of(net))
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert torch.equal(generator, torch.get_rng_state())


def test_one_path_is_refused() -> None:
    net = operations_net()
    with pytest.raises(UsageError, match="between 1 architecture"):
        gradient_conflict(net, [net.space.smallest()], batch_of(net))
