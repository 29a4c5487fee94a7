"""All nested widths of a block from one pass; several architectures in one pass."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from supernet import Choice, ElasticConv2d, ElasticLinear, Supernet, zoo
from supernet.errors import UsageError
from supernet.nn.attention import ElasticAttention
from supernet.nn.by_example import ByExample, nested_choices
from supernet.nn.nested import nested_outputs
from supernet.nn.norm import ElasticBatchNorm2d, ElasticLayerNorm


class Normed(nn.Module):
    """A stream whose width varies, normalised over it, and a feed-forward block."""

    def __init__(self) -> None:
        super().__init__()
        width, hidden = Choice("width", (4, 8)), Choice("hidden", (3, 6, 12))
        self.embed = ElasticLinear(5, width)
        self.norm = ElasticLayerNorm(width)
        self.block = nn.Sequential(ElasticLinear(width, hidden), nn.GELU(), ElasticLinear(hidden, width))
        self.head = ElasticLinear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.embed(x))
        return self.head(x + self.block(x))


@pytest.fixture
def normed() -> Supernet:
    torch.manual_seed(0)
    return Supernet(Normed())


@pytest.fixture
def convs() -> Supernet:
    torch.manual_seed(0)
    a, b = Choice("a", (2, 4, 6)), Choice("b", (3, 5))
    return Supernet(
        nn.Sequential(
            ElasticConv2d(1, a, 3, bias=False),
            ElasticBatchNorm2d(a),
            nn.ReLU(),
            ElasticConv2d(a, a, 3, groups=a),
            nn.ReLU(),
            ElasticConv2d(a, b, 3, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            ElasticLinear(b, 4),
        )
    ).eval()


def test_a_feed_forward_block_gives_all_widths_at_once(normed: Supernet) -> None:
    x = torch.randn(2, 7, 4)
    found = nested_outputs(normed, "block", "hidden", {"width": 4, "hidden": 3}, x)
    for option, y in found.items():
        with normed.active({"width": 4, "hidden": option}):
            torch.testing.assert_close(y, normed.module.block(x))
    assert list(found) == [3, 6, 12]
    assert not torch.allclose(found[3], found[6])


def test_gradients_of_all_widths_are_those_of_each_alone(normed: Supernet) -> None:
    x = torch.randn(2, 7, 8)
    block, largest = normed.module.block, normed.space.largest()
    sum(y.square().sum() for y in nested_outputs(normed, "block", "hidden", largest, x).values()).backward()
    together = [parameter.grad.clone() for parameter in block.parameters()]
    block.zero_grad()
    for option in (3, 6, 12):
        with normed.active({"width": 8, "hidden": option}):
            block(x).square().sum().backward()
    for parameter, gradient in zip(block.parameters(), together, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-4)


def test_convolutions_and_heads_nest_too(convs: Supernet) -> None:
    x = torch.randn(2, 1, 6, 6)
    block = Supernet(nn.Sequential(*convs.module[:6])).eval()
    for option, y in nested_outputs(block, "", "a", {"a": 6, "b": 5}, x).items():
        torch.testing.assert_close(y, block(x, {"a": option, "b": 5}))
    attention = Supernet(ElasticAttention(6, Choice("heads", (1, 2, 3)), head_dim=4)).eval()
    tokens = torch.randn(2, 5, 6)
    for option, y in nested_outputs(attention, "", "heads", attention.space.largest(), tokens).items():
        torch.testing.assert_close(y, attention(tokens, {"heads": option}))


def test_each_example_runs_its_own_architecture(convs: Supernet) -> None:
    archs = [convs.space.arch({"a": a, "b": b}) for a, b in ((2, 5), (6, 3), (4, 3))]
    several = ByExample(convs, archs, ("a", "b"))
    x = torch.randn(7, 1, 6, 6)
    with several.masked(), convs.active(several.envelope):
        together = convs.module(x)
    for number in range(7):
        torch.testing.assert_close(together[number : number + 1], convs(x[number : number + 1], archs[number % 3]))
    assert not any(module._forward_pre_hooks for module in convs.modules())


def test_what_may_differ_by_example_is_found_by_trying(normed: Supernet, convs: Supernet) -> None:
    assert nested_choices(normed, torch.randn(2, 7, 5)) == ("hidden",)
    assert set(nested_choices(convs, torch.randn(2, 1, 6, 6))) == {"a", "b"}


def test_zero_weights_do_not_hide_that_a_width_is_normalised(normed: Supernet) -> None:
    nn.init.zeros_(normed.module.head.weight)
    assert nested_choices(normed, torch.randn(2, 7, 5)) == ("hidden",)


def test_choices_that_do_not_nest_are_those_of_the_first(normed: Supernet) -> None:
    first, second = normed.space.arch({"width": 4, "hidden": 3}), normed.space.largest()
    several = ByExample(normed, (first, second), ("hidden",))
    assert normed.space.arch({"width": 4, "hidden": 12}).code == tuple(several.envelope.values())


def test_of_a_vision_transformer_all_but_the_width_of_the_stream_nests() -> None:
    net = zoo.autoformer(variant="tiny", image_size=16, num_classes=4)
    assert set(net.space.names) - set(nested_choices(net, torch.randn(2, 3, 16, 16))) == {"width", "depth"}


def test_the_channels_of_a_block_nest_through_depthwise_and_squeeze_and_excite() -> None:
    net = zoo.mbconv(image_size=16, num_classes=4)
    found = nested_choices(net, torch.randn(2, 1, 16, 16))
    assert {name for name in net.space.names if name.endswith(("expansion", "width"))} == set(found)


@pytest.mark.parametrize(
    ("block", "choice", "named"),
    [("nothing", "hidden", "named_modules"), ("embed", "hidden", "has not exactly one"), ("", "hidden", "does more")],
)
def test_a_block_that_does_not_end_in_the_width_is_refused(
    normed: Supernet, block: str, choice: str, named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        nested_outputs(normed, block, choice, normed.space.largest(), torch.randn(2, 5))
