"""Operations on a node that run once in a cell."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import pytest
import torch
from torch import nn

from small_nets import operations_net, step
from supernet import Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.nn.shared import SharedOperation
from supernet.train import ShareFeatures, Softmax
from supernet.train.parametrisations.option_logits import OptionLogits

OPERATIONS = ("skip_connect", "sep_conv_3x3", "max_pool_3x3")


def cells(**options: Any) -> Supernet:
    sizes = {"channels": 4, "layers": 3, "nodes": 3, "in_channels": 1, "image_size": 8, "operations": OPERATIONS}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return zoo.darts(**{**sizes, **options})


def mixed(net: Supernet) -> Any:
    logits = OptionLogits(net, scale=0.5)
    return logits.draw(step(net, parts={"architecture": logits}), Softmax(), "weights")


def counted(net: Supernet, decisions: Any) -> Counter[str]:
    """How often convolutions and poolings run in a pass, by kind and kernel."""
    seen: Counter[str] = Counter()
    handles = [
        m.register_forward_hook(lambda m, *_: seen.update([type(m).__name__ + str(getattr(m, "kernel_size", ""))]))
        for m in net.modules()
        if isinstance(m, nn.Conv2d | nn.MaxPool2d)
    ]
    net(torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)), decisions)
    for handle in handles:
        handle.remove()
    return seen


def test_an_operation_runs_once_for_all_nodes_after_it() -> None:
    """4 states are used by 9 edges in a cell of three nodes, so a mixture runs 4 of each kind and not 9."""
    apart, shared = cells(), ShareFeatures()(cells())
    decisions = mixed(apart)
    pools = [counted(net, decisions)["MaxPool2d3"] for net in (apart, shared)]
    assert pools == [3 * 9, 3 * 4]
    depthwise = [counted(net, decisions)["Conv2d(3, 3)"] - 1 for net in (apart, shared)]
    assert depthwise == [2 * pools[0], 2 * pools[1]], "a separable convolution has two"
    assert {name for name, _ in shared.named_parameters()} <= {
        name.replace(f".{op}.", f".{op}.operation.") for name, _ in apart.named_parameters() for op in OPERATIONS
    } | {name for name, _ in apart.named_parameters()}


def test_it_computes_what_separate_operations_of_equal_weights_compute() -> None:
    apart, shared = cells(), ShareFeatures()(cells())
    for cell in apart.module.cells:  # type: ignore[union-attr]
        for node in cell.nodes:  # type: ignore[union-attr]
            for source, edge in enumerate(node.edges):
                first = next(n for n in cell.nodes if source < len(n.edges))  # type: ignore[union-attr]
                edge.load_state_dict(first.edges[source].state_dict())
    x = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    decisions = mixed(apart)
    torch.testing.assert_close(shared(x, decisions), apart(x, decisions))
    ours, theirs = (torch.autograd.grad(net(x, decisions).sum(), next(net.parameters()))[0] for net in (shared, apart))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_space_costs_and_subnets_stay_and_nothing_is_kept_after_a_pass() -> None:
    apart, shared = cells(nodes=2), ShareFeatures()(cells(nodes=2))
    assert shared.space.fingerprint == apart.space.fingerprint
    x = torch.randn(2, 1, 8, 8)
    arch = apart.space.largest()
    assert measure.macs(shared, arch) == measure.macs(apart, arch)
    subnet = shared.extract(arch)
    assert not any(type(module).__module__.startswith("supernet.") for module in subnet.modules())
    assert subnet.training
    torch.testing.assert_close(subnet(x), shared(x, arch))
    assert sum(p.numel() for p in subnet.parameters()) == measure.params(shared, arch)
    kept = [m for m in shared.modules() if isinstance(m, SharedOperation)]
    assert len(kept) == 3 * 3 * 2 + 2 * 2, "and a skip of stride 2 on the inputs of a reduction cell"
    assert all(m._last is None for m in kept)


def test_a_network_that_was_adapted_before_stays_as_it_is_and_can_be_copied() -> None:
    once = ShareFeatures()(cells())
    before = list(once.state_dict())
    hooks = [len(module._forward_hooks) for module in once.modules()]
    twice = copy.deepcopy(ShareFeatures()(once))
    assert list(twice.state_dict()) == before
    decisions = mixed(twice)
    assert counted(twice, decisions)["MaxPool2d3"] == 3 * 4
    assert [len(module._forward_hooks) for module in twice.modules()] == hooks


def test_an_operation_that_is_shared_computes_every_tensor_anew() -> None:
    shared = SharedOperation(nn.Linear(2, 2))
    x, y = torch.randn(3, 2), torch.randn(3, 2)
    assert shared(x) is shared(x)
    torch.testing.assert_close(shared(y), shared.operation(y))
    assert copy.deepcopy(shared)._last is None
    assert shared(x).grad_fn is not None


def test_without_nodes_nothing_changes_and_partial_channels_are_refused() -> None:
    net = operations_net()
    assert list(ShareFeatures()(net).state_dict()) == list(operations_net().state_dict())
    with pytest.raises(UsageError, match="share=False"):
        ShareFeatures()(cells(partial=2))
