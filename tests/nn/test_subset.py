"""Choice blocks in which several operations run at once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from supernet import Choice, EdgeWeights, Mixture, SubsetChoice, Supernet, Zero
from supernet.errors import UsageError
from supernet.nn import Decisions
from supernet.space import subsets

KERNELS = (3, 5, 7)


def block(reduce: Any = "sum", at_most: int = 2) -> Supernet:
    torch.manual_seed(0)
    members = {k: nn.Conv2d(2, 2, k, padding=k // 2) for k in KERNELS}
    return Supernet(SubsetChoice(Choice("kernels", subsets(KERNELS, at_most=at_most)), members, reduce=reduce))


def outputs(net: Supernet, x: torch.Tensor) -> dict[int, torch.Tensor]:
    return {k: net.module.members[str(k)](x) for k in KERNELS}


def test_the_members_of_an_option_are_summed_or_put_side_by_side() -> None:
    x = torch.randn(2, 2, 8, 8)
    for reduce, join in (("sum", sum), ("concat", lambda parts: torch.cat(list(parts), 1))):
        net = block(reduce)
        outs = outputs(net, x)
        assert net.space.size == 6  # MixPath: 3 single kernels and 3 pairs
        for arch in net.space.enumerate():
            torch.testing.assert_close(net(x, arch), join(outs[k] for k in arch["kernels"]))
            torch.testing.assert_close(net.extract(arch)(x), net(x, arch))


def test_a_member_weighs_what_its_options_weigh_or_a_weight_of_its_own() -> None:
    net, x = block(), torch.randn(2, 2, 8, 8)
    outs = outputs(net, x)
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], requires_grad=True)  # 3, 5, 7, 35, 37, 57
    mixed = net(x, {"kernels": Mixture(weights)})
    torch.testing.assert_close(mixed, 1.0 * outs[3] + 1.2 * outs[5] + 1.4 * outs[7])
    mixed.sum().backward()
    assert weights.grad is not None
    assert weights.grad[3] == pytest.approx((outs[3] + outs[5]).sum().item(), rel=1e-4)
    weighed = net(x, Decisions(kernels=EdgeWeights(torch.tensor([1.0, 2.0, 0.0]), run=(0, 1))))
    torch.testing.assert_close(weighed, outs[3] + 2 * outs[5])
    torch.testing.assert_close(net(x, Decisions(kernels=(0, 3))), 2 * outs[3] + outs[5])


def test_127_sets_of_seven_operations() -> None:
    net = Supernet(SubsetChoice("ops", {f"op{place}": nn.Identity() for place in range(7)}))
    assert net.space.size == 127  # per edge of SparseNAS


def test_a_block_of_silent_members_is_silent() -> None:
    net = Supernet(SubsetChoice("ops", {"none": Zero(), "skip": nn.Identity()}))
    for option, silent in ((("none",), True), (("none", "skip"), False)):
        with net.active({"ops": option}):
            assert net.module.silent is silent
    assert not net(torch.ones(1), {"ops": ("none",)}).any()


@pytest.mark.parametrize("decision", [Mixture(torch.ones(6)), (0,)])
def test_outputs_side_by_side_cannot_be_mixed(decision: Any) -> None:
    net = block("concat")
    assert not net.module.mixes
    assert net.nodes == {}
    with pytest.raises(UsageError, match="puts outputs side by side, which cannot be mixed"):
        net(torch.randn(1, 2, 8, 8), Decisions(kernels=decision))


@pytest.mark.parametrize(
    ("choice", "members", "options", "said"),
    [
        ("ops", {}, {}, "members of ops are {}"),
        ("ops", [nn.Identity()], {}, "Give a mapping from keys to modules"),
        ("ops", {"a": nn.Identity()}, {"reduce": "mean"}, "reduce='mean'; use 'sum' or 'concat'"),
        (Choice("ops", (("a", "b"),)), {"a": nn.Identity()}, {}, r"option \('a', 'b'\).*no tuple of distinct members"),
        (Choice("ops", ("a",)), {"a": nn.Identity()}, {}, "option 'a' of the choice 'ops' is no tuple"),
        (Choice("ops", (("a",),)), {"a": nn.Identity(), "b": nn.Identity()}, {}, r"runs the members \['b'\]"),
        ("ops", {"a": "conv"}, {}, "member 'a' of the choice 'ops' is 'conv', not a torch module"),
    ],
)
def test_what_cannot_be_a_block_is_refused(choice: Any, members: Any, options: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        SubsetChoice(choice, members, **options)


def test_an_empty_option_cannot_run_alone() -> None:
    net = Supernet(SubsetChoice(Choice("ops", ((), ("a",))), {"a": nn.Identity()}))
    with pytest.raises(UsageError, match="No member of 'ops' runs"):
        net(torch.ones(1), {"ops": ()})
