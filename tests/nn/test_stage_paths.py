"""Ways through stages: each once, agreeing with what was decided before, by brute force."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from staged_nets import STAGES, staged_net
from supernet import Arch, Supernet, zoo
from supernet.errors import UsageError
from supernet.nn.stage_modules import stage_names, stages_module
from supernet.nn.stage_paths import StagePaths


def routed() -> Supernet:
    torch.manual_seed(0)
    return zoo.hytra(
        variant="tiny",
        num_classes=3,
        in_channels=1,
        image_size=8,
        widths=(4, 8, 16),
        depths=(2, 1, 1),
        zero_gamma=False,
    )


def computed(net: Supernet, names: tuple[tuple[str, ...], ...], arch: Arch, end: int) -> bytes:
    """What an architecture makes of an image up to the end of a stage: equal ways compute the same."""
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), net.active(arch):
        return stages_module(net, names[: end + 1])(x).numpy().tobytes()


def ways_after(
    net: Supernet, names: tuple[tuple[str, ...], ...], before: Arch, number: int, archs: list[Arch]
) -> Iterator[bytes]:
    """What all architectures compute that agree with one up to the stage before."""
    seen = computed(net, names, before, number - 1)
    yield from {computed(net, names, a, number) for a in archs if computed(net, names, a, number - 1) == seen}


@pytest.mark.parametrize("build", [routed, staged_net])
def test_every_way_through_a_stage_is_there_once(build: object) -> None:
    net: Supernet = build()  # type: ignore[operator]
    net.eval().calibrated_for = None
    names, archs = stage_names(net), list(net.space.enumerate())
    ways = StagePaths(net, names)
    rng = np.random.default_rng(0)
    space, before = net.space, None
    for number in range(len(names)):
        mine = list(ways.of(number, space, before).enumerate())
        found = [computed(net, names, arch, number) for arch in mine]
        expected = (
            {computed(net, names, a, number) for a in archs}
            if before is None
            else set(ways_after(net, names, before, number, archs))
        )
        assert set(found) == expected
        assert len(found) == len(expected), "a way is there twice"
        before = mine[int(rng.integers(len(mine)))]
        space = space.restrict(ways.agreeing(number, space, before))
        keys = {ways.key(number, arch) for arch in mine}
        assert len(keys) == len(mine)
        # Whatever is still left of the space takes one of the ways that are there.
        assert {ways.key(number, arch) for arch in space.enumerate()} <= keys
    assert before in space


def test_stages_with_choices_of_their_own_narrow_nothing() -> None:
    net = staged_net()
    ways = StagePaths(net, STAGES)
    assert ways.reads == (("a",), ("b", "c"), ("d",))
    assert ways.across == ways.unread == ()
    assert ways.together() == [[0], [1], [2]]
    best = net.space.smallest()
    assert ways.agreeing(0, net.space, best) == {}
    assert ways.of(1, net.space, best).size == 4


def test_a_route_is_narrowed_to_what_goes_on_from_the_best_path() -> None:
    net = routed()
    ways = StagePaths(net, stage_names(net))
    assert ways.across == ("route",)
    assert ways.together() == [[0, 1, 2]]
    best = net.space.arch({"route": (2,), "layer2": "att", "layer3": "conv", "layer4": "conv"})
    assert ways.agreeing(0, net.space, best) == {"route": [(2, 3), (2, 4), (2,)]}
    assert ways.agreeing(1, net.space, best) == {"route": [(2, 4), (2,)]}
    assert ways.agreeing(2, net.space, best) == {}


def test_stages_that_are_not_all_named_leave_choices_unread() -> None:
    assert StagePaths(staged_net(), STAGES[:2]).unread == ("d",)


def test_options_are_of_one_kind_where_a_stage_does_the_same() -> None:
    net = routed()
    ways = StagePaths(net, stage_names(net))
    # The third stage is one layer: at each scale entered from there or from the one before.
    assert ways.kinds(2, "route") == [(1, 2), (1, 4), (1,), (4,), ()]


@pytest.mark.slow
def test_layers_that_read_too_much_are_refused() -> None:
    from supernet import Choice, ElasticConv2d

    widths = [Choice(f"w{i}", tuple(range(1, 23))) for i in range(4)]
    total = widths[0] + widths[1] + widths[2] + widths[3]
    first, second = ElasticConv2d(1, total, 1), ElasticConv2d(total, 2, 1)
    net = Supernet(torch.nn.Sequential(first, second))
    with pytest.raises(UsageError, match="too many to see"):
        StagePaths(net, (("0",), ("1",)))
