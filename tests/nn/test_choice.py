"""Choice blocks: one path, several paths, mixtures, and what running them costs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from supernet import Choice, ElasticLinear, Mixture, OpChoice, Supernet, Zero
from supernet.errors import UsageError
from supernet.nn import Decisions


class Counting(nn.Linear):
    calls = 0

    def forward(self, input: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(input)


def block(n: int = 4) -> tuple[Supernet, list[Counting]]:
    torch.manual_seed(0)
    ops = [Counting(3, 3) for _ in range(n)]
    return Supernet(OpChoice("op", {f"op{i}": op for i, op in enumerate(ops)})), ops


def test_an_index_runs_one_candidate_and_the_others_cost_nothing() -> None:
    net, ops = block()
    x = torch.randn(2, 3)
    for i, op in enumerate(ops):
        y = net(x, Decisions(op=i))
        assert torch.equal(y, op(x))
        assert [other.calls for other in ops] == [2 if other is op else 0 for other in ops]
        y.sum().backward()
        assert [other.weight.grad is None for other in ops] == [other is not op for other in ops]
        op.calls, op.weight.grad = 0, None


def test_an_architecture_means_the_option_by_name() -> None:
    net, ops = block()
    x = torch.randn(2, 3)
    assert torch.equal(net(x, net.space.arch({"op": "op2"})), ops[2](x))


def test_a_subset_is_the_sum_of_its_members() -> None:
    net, ops = block()
    x = torch.randn(2, 3)
    y = net(x, Decisions(op=(0, 3)))
    assert [op.calls for op in ops] == [1, 0, 0, 1]
    torch.testing.assert_close(y, ops[0](x) + ops[3](x))
    y.sum().backward()
    assert [op.weight.grad is None for op in ops] == [False, True, True, False]


def test_a_mixture_is_the_weighted_sum_with_its_gradient() -> None:
    net, ops = block()
    x = torch.randn(2, 3)
    logits = torch.randn(4, requires_grad=True)
    y = net(x, {"op": Mixture(torch.softmax(logits, 0))})
    expected = torch.einsum("o,obk->bk", torch.softmax(logits, 0), torch.stack([op(x) for op in ops]))
    torch.testing.assert_close(y, expected)
    target = torch.randn(2, 3)
    given = torch.autograd.grad((y * target).sum(), [logits, ops[1].weight])
    for one, other in zip(given, torch.autograd.grad((expected * target).sum(), [logits, ops[1].weight]), strict=True):
        torch.testing.assert_close(one, other)


def test_a_one_hot_mixture_runs_one_candidate_and_every_logit_learns() -> None:
    net, ops = block()
    x, target = torch.randn(2, 3), torch.randn(2, 3)
    logits = torch.randn(4, requires_grad=True)
    soft = torch.softmax(logits, 0)
    hard = torch.tensor([0.0, 0.0, 1.0, 0.0])
    y = net(x, {"op": Mixture(hard + soft - soft.detach(), run=(2,))})
    assert [op.calls for op in ops] == [0, 0, 1, 0]
    torch.testing.assert_close(y, ops[2](x))
    (gradient,) = torch.autograd.grad((y * target).sum(), [logits], retain_graph=True)
    # d output / d weight is the operation's output for the one that ran and 1 for the others (GDAS, eq. 7).
    slopes = torch.ones(4) * target.sum()
    slopes[2] = (ops[2](x) * target).sum()
    jacobian = torch.diag(soft) - torch.outer(soft, soft)
    torch.testing.assert_close(gradient, jacobian @ slopes)
    (y * target).sum().backward()
    assert [op.weight.grad is None for op in ops] == [True, True, False, True]


def test_running_all_candidates_of_a_one_hot_mixture_gives_the_dense_gradient() -> None:
    net, ops = block()
    x, target = torch.randn(2, 3), torch.randn(2, 3)
    logits = torch.randn(4, requires_grad=True)
    soft = torch.softmax(logits, 0)
    weights = torch.tensor([0.0, 1.0, 0.0, 0.0]) + soft - soft.detach()
    y = net(x, {"op": Mixture(weights)})
    torch.testing.assert_close(y, ops[1](x))
    dense = sum(soft[i] * op(x) for i, op in enumerate(ops))
    (given,) = torch.autograd.grad((y * target).sum(), [logits], retain_graph=True)
    (expected,) = torch.autograd.grad((dense * target).sum(), [logits])
    torch.testing.assert_close(given, expected)


def test_one_choice_object_ties_two_blocks() -> None:
    choice = Choice("op", ("id", "zero"))
    net = Supernet(nn.Sequential(*(OpChoice(choice, {"zero": Zero(), "id": nn.Identity()}) for _ in range(2))))
    assert net.space.size == 2
    x = torch.randn(1, 2, 3, 3)
    assert torch.equal(net(x, net.space.arch({"op": "id"})), x)


def test_options_that_are_numbers_and_tuples_name_candidates() -> None:
    choice = Choice("ratio", (0.5, 2, (3, 6)))
    net = Supernet(OpChoice(choice, {0.5: nn.Identity(), (3, 6): nn.Flatten(), 2: nn.ReLU()}))
    assert list(net.module.candidates) == ["0_5", "2", "(3, 6)"]
    extracted = [net.extract(net.space.arch({"ratio": option})) for option in choice.options]
    assert list(map(type, extracted)) == [nn.Identity, nn.ReLU, nn.Flatten]


def test_choices_nest() -> None:
    width = Choice("width", (2, 4))
    inner = OpChoice("inner", {"biased": ElasticLinear(3, width), "plain": ElasticLinear(3, width, bias=False)})
    net = Supernet(OpChoice("outer", {"inner": inner, "plain": ElasticLinear(3, width)}))
    assert net.space.size == 8
    x = torch.randn(1, 3)
    for arch in net.space.enumerate():
        layer = inner.candidates[arch["inner"]] if arch["outer"] == "inner" else net.module.candidates["plain"]
        weight = layer.weight[: arch["width"]]
        bias = 0 if layer.bias is None else layer.bias[: arch["width"]]
        torch.testing.assert_close(net(x, arch), x @ weight.T + bias)


@pytest.mark.parametrize(
    ("decision", "silent"),
    [({"op": 0}, False), ({"op": 1}, True), ({"op": ()}, True), ({"op": (0, 1)}, False), ({"op": 2, "in": 1}, True)],
)
def test_a_block_that_adds_nothing_says_so(decision: dict[str, object], silent: bool) -> None:
    inner = OpChoice("in", {"id": nn.Identity(), "none": Zero()})
    net = Supernet(OpChoice("op", {"id": nn.Identity(), "none": Zero(), "nested": inner}))
    with net.active(Decisions(decision)):
        assert net.module.silent is silent
    with net.active({"op": Mixture(torch.ones(3))}):
        assert net.module.silent is False


def test_an_empty_subset_has_no_shape() -> None:
    net, ops = block()
    with pytest.raises(UsageError, match="subset decided for 'op' is empty"):
        net(torch.ones(1, 3), Decisions(op=()))
    assert [op.calls for op in ops] == [0] * 4


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_zero_has_the_shape_of_a_strided_convolution(stride: int) -> None:
    x = torch.randn(2, 3, 7, 8)
    y = Zero(stride)(x)
    assert y.shape == nn.Conv2d(3, 3, 3, stride=stride, padding=1)(x).shape
    assert not y.any()


def test_candidates_must_match_the_options() -> None:
    with pytest.raises(UsageError, match=r"'op' has the options \('a', 'b'\), but candidates were given for \('a',\)"):
        OpChoice(Choice("op", ("a", "b")), {"a": nn.Identity()})


@pytest.mark.parametrize("options", [("double", "conv"), (0.5, "0_5"), ("", "conv")])
def test_options_that_cannot_name_a_module_are_refused(options: tuple[object, ...]) -> None:
    with pytest.raises(UsageError, match="cannot name its candidate"):
        OpChoice(Choice("op", options), {option: nn.Identity() for option in options})


@pytest.mark.parametrize(
    ("choice", "candidates", "said"),
    [
        ("op", {"a": (nn.Identity(),)}, r"candidate 'a' of the choice 'op' is \(Identity\(\),\), not a torch module"),
        (
            "op",
            {"a": nn.ReLU(), "b": None},
            r"candidate 'b' of the choice 'op' is None.*nn\.Identity\(\)",
        ),
        ("op", [nn.ReLU()], "candidates of op are a list. Give a mapping"),
        (3, {"a": nn.ReLU()}, r"was given 3 \(int\) to decide by"),
    ],
)
def test_a_candidate_that_is_no_module_is_named(choice: Any, candidates: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        OpChoice(choice, candidates)
