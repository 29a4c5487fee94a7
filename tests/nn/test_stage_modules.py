"""The stages of a network: their modules, choices and shapes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from staged_nets import Row, staged_net
from supernet import Choice, ElasticConv2d, Supernet, zoo
from supernet.errors import UsageError
from supernet.nn.stage_modules import stage_choices, stage_names, stage_shapes, stages_module


def shared() -> Supernet:
    row, kernel = Row(), Choice("kernel", (1, 3))
    row.one, row.three = ElasticConv2d(4, 4, kernel), ElasticConv2d(6, 8, kernel, stride=2)  # type: ignore[assignment]
    return Supernet(row, input_shape=(1, 8, 8))


def test_choices_and_shapes_of_the_stages() -> None:
    net = staged_net().train()
    assert stage_choices(net) == (("a",), ("b", "c"), ("d",))
    assert stage_shapes(net) == ((4, 4, 4), (6, 4, 4), (8, 2, 2))
    assert all(module.training for module in net.modules())
    assert stage_choices(net, ("stem", ("one", "two"))) == ((), ("a", "b", "c"))


def test_stages_of_one_choice_cannot_be_chosen_apart() -> None:
    with pytest.raises(UsageError, match=r"The stages 0 and 2 both read the choice 'kernel'"):
        stage_choices(shared())
    assert stage_choices(shared(), (("stem", "one", "two", "three"),)) == (("kernel", "b", "c"),)


def test_stages_that_do_not_follow_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match=r"Stage 0, the modules two, does not run on what comes before it"):
        stage_shapes(staged_net(), ("two",))
    net = staged_net()
    net.input_shape = None
    with pytest.raises(UsageError, match="does not know the shape of its images"):
        stage_shapes(net)


def test_the_modules_are_those_of_the_network() -> None:
    net = staged_net()
    (whole,) = [stages_module(net, stage_names(net))]
    assert list(whole) == [net.module.get_submodule(name) for name in ("stem", "one", "two", "three")]


@pytest.mark.parametrize(
    ("build", "layers"),
    [
        (lambda: zoo.mobilenetv2(image_size=32, width_multiplier=0.25, num_classes=10), (2, 4, 4, 4, 4, 1)),
        (lambda: zoo.nasbench_macro(), (2, 3, 3)),
        (lambda: zoo.shufflenetv2_spos(image_size=32, width_multiplier=0.25, num_classes=10), (4, 4, 8, 4)),
    ],
)
def test_chains_say_their_stages(build: object, layers: tuple[int, ...]) -> None:
    net: Supernet = build()  # type: ignore[operator]
    assert tuple(map(len, stage_choices(net))) == layers
    assert sum(map(len, stage_names(net))) == sum(layers) + 1 + (getattr(net.module, "first", None) is not None)
    shapes = stage_shapes(net)
    assert len(shapes) == len(layers)
    arch = net.space.smallest()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad(), net.eval().active(arch):
        module: nn.Module = net.module
        torch.testing.assert_close(module.head(stages_module(net, stage_names(net))(x)), net(x))  # type: ignore[operator]
