"""The final networks of ENAS's cells: what they compute and how large they are, by the authors' code written again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from enas_layers import Written
from supernet import Arch, Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.nn import Output
from supernet.nn.laws import LAWS, Law
from supernet.zoo.cells.enas_choices import OPS
from supernet.zoo.cells.enas_micro_sequence import FINAL_NORMAL, FINAL_REDUCE
from zoo_networks import archs_of, computes_the_same_in_onnx, costs_are_the_counted_ones, images

TINY: dict[str, Any] = {
    "channels": 2,
    "layers": 3,
    "nodes": 2,
    "operations": ("sep_conv_3x3", "max_pool_3x3", "skip_connect"),
    "auxiliary": False,
    "dropout": 0,
    "num_classes": 3,
    "image_size": 8,
}


def tiny(**options: Any) -> Supernet:
    torch.manual_seed(0)
    return zoo.enas_micro_final(**{**TINY, **options})


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_networks_keep_the_laws(law: Law) -> None:
    net = tiny()
    law(net, lambda arch: images(net, 3))


@pytest.mark.parametrize("options", [{}, {"auxiliary": True, "image_size": 18}])
@pytest.mark.slow
def test_costs_without_building_are_the_counted_ones(options: dict[str, Any]) -> None:
    net = tiny(**options)
    archs = archs_of(net, 4)
    assert len({measure.params(net, arch) for arch in archs}) > 2
    costs_are_the_counted_ones(net, archs)


def parameters(layers: int, width: int) -> int:
    """Those of the released cells, by the authors' `_fixed_layer`: a formula for every convolution."""
    first = 3 * width
    total = 27 * first + 2 * first
    ends = [(first, 0), (first, 0)]
    reductions = (layers // 3, 2 * (layers // 3) + 1)
    for layer in range(layers + 2):
        reduces = layer in reductions
        width *= 2 if reduces else 1
        arc = [int(number) for number in (FINAL_REDUCE if reduces else FINAL_NORMAL).split()]
        fitted = sum(given * width + 2 * width for given, _ in ends)
        total += fitted + width * width + 2 * width
        taken = set(arc[::2])
        for source, op in zip(arc[::2], arc[1::2], strict=True):
            if op < 2:
                total += 2 * ((3, 5)[op] ** 2 * width + width * width + 2 * width)
            elif op == 4 and reduces and source < 2:
                total += width * width + 2 * width
        loose = set(range(7)) - taken
        total += sum(width * width + 2 * width for state in loose if reduces and state < 2)
        ends = [ends[1], (len(loose) * width, ends[1][1] + reduces)]
    return total + 10 * ends[1][0]


@pytest.mark.slow
def test_the_final_network_has_the_parameters_of_the_released_code() -> None:
    net = zoo.enas_micro_final()
    assert measure.params(net, zoo.enas_micro_arch(net.space)) == parameters(15, 36) == 3_894_372
    network: Any = net.module
    assert network.auxiliary_after == 12
    assert [cell.inputs is not None for cell in network.cells] == [layer in (5, 11) for layer in range(17)]
    (dropout,) = {m.p for m in network.head.modules() if isinstance(m, nn.Dropout)}
    assert dropout == 0.2


def reference(net: Supernet, arch: Arch, x: Tensor) -> Tensor:
    """The network of the authors' `_fixed_layer` written down again, with one convolution over the loose ends."""
    written = Written.of(net)
    state, norm = written.state, written.norm

    def joined(name: str, loose: list[int]) -> Tensor:
        return torch.cat([state[f"{name}.by_state.{place}.weight"] for place in loose], dim=1)

    def operation(y: Tensor, op: str, stride: int, name: str) -> Tensor:
        if op == "skip_connect":
            return y if stride == 1 else written.reduction(y, f"{name}.{op}")
        if op == "max_pool_3x3":
            return F.max_pool2d(y, 3, stride, 1)
        for first, step in ((0, stride), (4, 1)):
            place = f"{name}.{op}.0.{first}".rpartition(".")[0]
            depthwise = state[f"{place}.{first + 1}.weight"]
            y = F.conv2d(F.relu(y), depthwise, stride=step, padding=1, groups=y.shape[1])
            y = norm(F.conv2d(y, state[f"{place}.{first + 2}.weight"]), f"{place}.{first + 3}")
        return y

    y = norm(F.conv2d(x, state["stem.layers.0.weight"], padding=1), "stem.layers.1")
    before, last = ([y], [0], 0), ([y], [0], 0)
    for number in range(5):
        name, reduces = f"cells.{number}", number in (1, 3)
        kind = "reduce" if reduces else "normal"
        (states, loose, halved), (present, ends, times) = before, last
        y = F.relu(torch.cat([states[place] for place in loose], 1))
        if halved < times:
            even, odd = (
                torch.cat([state[f"{name}.before.0.by_state.{p}.{half}.weight"] for p in loose], 1)
                for half in ("even", "odd")
            )
            shifted = F.pad(y, (0, 1, 0, 1))[:, :, 1:, 1:]
            y = torch.cat([F.conv2d(y[:, :, ::2, ::2], even), F.conv2d(shifted[:, :, ::2, ::2], odd)], 1)
        else:
            y = F.conv2d(y, joined(f"{name}.before.0", loose))
        z = F.relu(torch.cat([present[place] for place in ends], 1))
        z = norm(F.conv2d(z, joined(f"{name}.last.0", ends)), f"{name}.last.1")
        z = norm(F.conv2d(F.relu(z), state[f"{name}.last.3.weight"]), f"{name}.last.4")
        mine, taken = [norm(y, f"{name}.before.1"), z], set()
        for node in range(2):
            total = torch.zeros(())
            for side, letter in enumerate("xy"):
                key = f"{kind}.{node + 2}.{letter}"
                (source,) = arch[f"{key}.input"]  # type: ignore[misc, str-unpack]
                taken.add(source)
                place = f"{name}.sides.{2 * node + side}.edges.{source}.candidates"
                stride = 2 if reduces and source < 2 else 1  # type: ignore[operator]
                total = total + operation(mine[source], str(arch[key]), stride, place)  # type: ignore[call-overload]
            mine.append(total)
        mine_loose = [place for place in range(4) if place not in taken]
        for place in {0, 1} & set(mine_loose) if reduces else ():
            mine[place] = written.reduction(mine[place], f"{name}.inputs.{place}.module")
        before, last = last, (mine, mine_loose, times + reduces)
    states, loose, _ = last
    features = torch.cat([F.relu(states[place]).mean((2, 3)) for place in loose], 1)
    return features @ torch.cat([state[f"head.by_state.{place}.3.weight"] for place in loose], 1).T


def test_the_network_is_the_one_of_the_authors_written_down_again() -> None:
    net = tiny(statistics="batch").double()
    x = images(net).double()
    unused = net.space.arch(
        {n: (2,) if n.endswith("3.x.input") else (0,) if "input" in n else "skip_connect" for n in net.space.names}
    )
    for arch in [*archs_of(net, 6), unused]:
        torch.testing.assert_close(net.train()(x, arch), reference(net, arch, x), rtol=1e-9, atol=1e-9)


def test_subnets_compute_what_the_network_computes() -> None:
    net = tiny(auxiliary=True, image_size=18)
    assert isinstance(net.train()(images(net), net.space.smallest()), Output)
    net.eval()
    for arch in archs_of(net, 4):
        subnet = net.extract(arch).eval()
        torch.testing.assert_close(subnet(images(net)), net(images(net), arch), rtol=0, atol=1e-6)
        assert not any("auxiliary" in name for name, _ in subnet.named_parameters())


@pytest.mark.slow
def test_its_architectures_are_those_of_the_search() -> None:
    searched = zoo.enas_micro(channels=2, auxiliary=False).space
    final = zoo.enas_micro_final(channels=2, layers=3, auxiliary=False).space
    assert final.fingerprint == searched.fingerprint
    assert str(zoo.enas_micro_arch(final)) == str(zoo.enas_micro_arch(searched))


@pytest.mark.slow
def test_subnets_become_onnx(tmp_path: Path) -> None:
    net = tiny(operations=OPS)
    computes_the_same_in_onnx(net, archs_of(net, 1)[-1], tmp_path)


@pytest.mark.parametrize("options", [{"channels": 0}, {"layers": 2}, {"operations": ("none",)}, {"auxiliary": True}])
def test_what_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        tiny(**options)
