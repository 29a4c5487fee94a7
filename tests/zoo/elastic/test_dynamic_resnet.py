"""DATA's ResNets: their number, their costs by a count of the test's own, and ResNet-50 and -101 among them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ofa_counts import Count
from supernet import Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.space import Arch
from supernet.zoo.elastic.dynamic_resnet import TINY
from zoo_networks import archs_of, costs_are_the_counted_ones


def counted(arch: Arch, *, size: int = 224, classes: int = 1000) -> Count:
    """The costs, from the decisions alone."""
    number: Any = dict(arch.options())
    found, width = Count(size), number["stem.width"]
    found.conv(3, width, 7, 2)
    found.size = -(-found.size // 2)
    for stage in range(1, 5):
        inner = number[f"stage{stage}.width"]
        for place in range(number[f"stage{stage}.depth"]):
            stride = 2 if stage > 1 and place == 0 else 1
            if place == 0:
                around = Count(found.size)
                around.conv(width, 4 * inner, stride=stride)
                found.macs, found.params = found.macs + around.macs, found.params + around.params
            found.conv(width, inner)
            found.conv(inner, inner, 3, stride)
            found.conv(inner, 4 * inner)
            width = 4 * inner
    found.linear(width, classes)
    return found


@pytest.mark.slow
def test_the_space_is_that_of_the_released_code() -> None:
    with torch.device("meta"):
        net = zoo.dynamic_resnet()
    assert net.space.size == 3 * 3**4 * 3 * 3 * 13 * 3 == 85_293
    assert {choice.name: choice.options for choice in net.space.choices} == {
        "stem.width": (32, 48, 64),
        "stage1.width": (48, 64, 80),
        "stage2.width": (96, 128, 160),
        "stage3.width": (192, 256, 320),
        "stage4.width": (384, 512, 640),
        "stage1.depth": (2, 3, 4),
        "stage2.depth": (2, 4, 6),
        "stage3.depth": (5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29),
        "stage4.depth": (2, 3, 4),
    }
    largest, smallest = net.space.largest(), net.space.smallest()
    widths = {f"stage{n}.width": 64 * 2 ** (n - 1) for n in range(1, 5)} | {"stem.width": 64}
    depths = {f"stage{n}.depth": depth for n, depth in enumerate((3, 4, 23, 3), start=1)}
    resnet101 = net.space.arch({**widths, **depths})
    for arch in (largest, smallest, resnet101):
        found = counted(arch)
        assert (measure.macs(net, arch), measure.params(net, arch)) == (found.macs, found.params)
    assert counted(resnet101).params == 44_549_160  # as everyone's ResNet-101
    assert counted(resnet101).macs == 7_801_405_440
    ends = [(round(counted(a).macs / 1e9, 2), round(counted(a).params / 1e6, 2)) for a in (smallest, largest)]
    assert ends == ENDS


ENDS = [(1.67, 11.27), (15.51, 87.35)]


def test_with_other_depths_resnet50_is_in_it() -> None:
    with torch.device("meta"):
        net = zoo.dynamic_resnet(stems=(64,), widths=((64,), (128,), (256,), (512,)), depths=((3,), (4,), (6, 7), (3,)))
    assert measure.params(net, net.space.smallest()) == 25_557_032


def test_it_computes_what_torchvision_computes() -> None:
    from torchvision.models.resnet import Bottleneck, ResNet

    torch.manual_seed(0)
    theirs = ResNet(Bottleneck, [1, 1, 1, 1], num_classes=5).eval()
    net = zoo.dynamic_resnet(
        num_classes=5,
        image_size=64,
        strides=(2, 2, 1, 2, 2, 2),
        stems=(64, 72),
        widths=((64,), (128,), (256,), (512,)),
        depths=((1,), (1,), (1,), (1,)),
        statistics="track",
    )
    mine = net.extract(net.space.smallest()).eval()

    def ordered(found: nn.Module) -> list[Tensor]:
        """Convolutions and norms by the shapes that they have, in the order of their names."""
        return [value for name, value in found.state_dict().items() if "num_batches" not in name]

    ours, other = ordered(mine), ordered(theirs)
    assert [t.shape for t in ours] == [t.shape for t in other]
    with torch.no_grad():
        for one, two in zip(ours, other, strict=True):
            if one.ndim == 1:
                two.copy_(torch.rand_like(two) + 0.5)
            one.copy_(two)
        x = torch.randn(2, 3, 64, 64)
        torch.testing.assert_close(mine(x), theirs(x), rtol=1e-4, atol=1e-5)


def test_every_block_begins_as_its_way_around() -> None:
    tiny: Any = {**TINY, "num_classes": 5, "in_channels": 1, "image_size": 8}
    for zero in (True, False):
        net = zoo.dynamic_resnet(**tiny, zero_gamma=zero)
        last = [block.body[-1].weight for stage in net.module.stages for block in stage]  # type: ignore[union-attr]
        assert [bool(weight.any()) for weight in last] == [not zero] * 8


def small() -> Supernet:
    torch.manual_seed(0)
    return zoo.dynamic_resnet(
        num_classes=5, in_channels=1, image_size=8, width_multiplier=0.125, depths=((1,), (1, 2), (1,), (1,))
    )


@pytest.mark.slow
def test_costs_follow_from_the_decisions() -> None:
    net = small()
    costs_are_the_counted_ones(net, archs_of(net, 2))


def test_the_drawing_has_the_blocks_that_run() -> None:
    net = small()
    space = net.space
    counts = [len(net.module.diagram(arch).nodes) for arch in (space.smallest(), space.largest())]  # type: ignore[operator, union-attr]
    assert counts[1] == counts[0] + 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"widths": ((8,), (16,))}, "give options for each of 4 stages"),
        ({"stems": (8, 8)}, "stems of"),
        ({"depths": ((0,), (1,), (1,), (1,))}, "depths of"),
        ({"width_multiplier": 0}, "width multiplier"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        zoo.dynamic_resnet(**{"image_size": 8, **options})
