"""Operations on a part of the channels are widened, and give of repeated channels what they gave, repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from small_nets import executor, images, operations_net, sgd, step
from supernet import OpChoice, Supernet, zoo
from supernet.errors import UsageError
from supernet.space.restriction import Restriction
from supernet.train import Context, KeepStrongest, OptionLogits, WidenPartial
from supernet.train.averaging import WeightAverage
from supernet.train.rewriting import Rewriter
from supernet.train.updates import Stepper
from supernet.zoo.cells.cell_edge import PartialChannels
from supernet.zoo.cells.cell_ops import OPERATIONS


def darts(partial: int, **options: Any) -> Supernet:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        sizes: dict[str, Any] = {"channels": 12, "layers": 3, "nodes": 1, "stem_multiplier": 1, **options}
        return zoo.darts(partial=partial, in_channels=1, image_size=8, **sizes)


def nasbench201(partial: int) -> Supernet:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        return zoo.nasbench201(channels=8, cells=1, in_channels=1, partial=partial, statistics="track")


def widened(net: Supernet, edit: WidenPartial, *, average: WeightAverage | None = None, **steppers: Stepper) -> None:
    part = OptionLogits(net)
    now = replace(step(net, parts={"architecture": part}), restriction=Restriction(net.space))
    edit(Context(now, executor(net, images()), rewriter=Rewriter(net, steppers, average, dict, 0)))


def edges(net: Supernet) -> list[PartialChannels]:
    return [module for module in net.modules() if isinstance(module, PartialChannels)]


def runs(edge: PartialChannels, net: Supernet) -> Callable[[str, Tensor], Tensor]:
    (block,) = [module for module in edge.modules() if isinstance(module, OpChoice)]

    def run(option: str, x: Tensor) -> Tensor:
        with net.active({block.choice.name: option}), torch.no_grad():
            return block(x)  # type: ignore[no-any-return]

    return run


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("affine", [False, True])
def test_every_operation_gives_of_repeated_channels_what_it_gave_repeated(affine: bool, share: bool) -> None:
    """Of both strides, in training and in evaluation; where weights are copied, only poolings do."""
    net = darts(6, affine=affine)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, buffer in net.named_buffers():
            if "running" in name:
                buffer.uniform_(0.5, 1.5, generator=generator)
        for name, parameter in net.named_parameters():
            if affine and "norm" in name:
                parameter.uniform_(0.5, 1.5, generator=generator)
    before: dict[tuple[int, str, bool], Tensor] = {}
    inputs = [torch.randn(4, int(edge.width), 6, 6, generator=generator) for edge in edges(net)]
    for number, edge in enumerate(edges(net)):
        for option in OPERATIONS:
            for training in (False, True):
                edge.train(training)
                statistics = {name: buffer.clone() for name, buffer in edge.named_buffers()}
                before[number, option, training] = runs(edge, net)(option, inputs[number])
                restore(edge, statistics)
    old = [int(edge.width) for edge in edges(net)]
    assert old == [2, 2, 4, 4, 8, 8]
    widened(net, WidenPartial(partial=4, share=share))
    assert [int(edge.width) for edge in edges(net)] == [3, 3, 6, 6, 12, 12]
    keep = {entry["take"]: entry["keep"] for entry in net.changes}
    for name, places in keep.items():
        assert "joined" in name or places[: len(set(places))] == sorted(set(places)), (
            "what was there stays in its place"
        )
    same = []
    for (number, option, training), expected in before.items():
        edge = edges(net)[number].train(training)
        cell = f"cells.{number // 2}.partial"
        halves = option == "skip_connect" and number >= 2
        given = runs(edge, net)(option, inputs[number][:, keep[cell]])
        wanted = expected[:, keep[f"{cell}.joined" if halves else cell]]
        same.append(torch.allclose(given, wanted, atol=1e-5))
        if share or "pool" in option:
            torch.testing.assert_close(given, wanted, rtol=0, atol=1e-5)
    assert all(same) == share


def restore(module: nn.Module, statistics: dict[str, Tensor]) -> None:
    for name, buffer in module.named_buffers():
        buffer.copy_(statistics[name])


@pytest.mark.parametrize("made", [darts, nasbench201])
def test_the_network_is_as_large_as_one_that_is_built_so(made: Callable[[int], Supernet]) -> None:
    net = made(4)
    shapes = {name: tensor.shape for name, tensor in made(2).state_dict().items()}
    widened(net, WidenPartial(partial=2))
    assert {name: tensor.shape for name, tensor in net.state_dict().items()} == shapes
    x, arch = torch.randn(4, 1, 8, 8), net.space.largest()
    assert net.train()(x, arch).shape == (4, 10)
    subnet = net.extract(arch)
    built = made(2).extract(arch)
    assert str(subnet) == str(built)
    torch.testing.assert_close(net.eval()(x, arch), subnet.eval()(x))


def test_state_and_average_are_repeated_and_options_that_are_kept_are_the_strongest() -> None:
    net = darts(6).train()
    stepper = Stepper(sgd(0.1, momentum=0.9), net.parameters(), batch_size=1)
    arch = net.space.arch({name: "sep_conv_3x3" for name in net.space.names if "<-" in name})
    net(torch.randn(4, 1, 8, 8), arch).square().sum().backward()
    stepper.step(step(net), [])
    stepper.clear()
    average = WeightAverage(net, 0.9)
    name = "module.cells.0.nodes.0.edges.0.op.op.candidates.sep_conv_3x3.2.weight"
    weight = net.get_parameter(name).detach().clone()
    momentum = stepper.optimizer.state[net.get_parameter(name)]["momentum_buffer"].clone()
    widened(net, WidenPartial(partial=3, keep=KeepStrongest(2)), average=average, weights=stepper)
    (keep,) = [entry["keep"] for entry in net.changes if entry["take"] == "cells.0.partial"]
    assert sorted(set(keep)) == [0, 1]
    assert len(keep) == 4
    parts = torch.tensor([float(keep.count(place)) for place in keep])
    new = net.get_parameter(name)
    torch.testing.assert_close(new.detach()[:, :, 0, 0], weight[keep][:, keep, 0, 0] / parts)
    torch.testing.assert_close(average.tensors[name], new.detach())
    assert torch.equal(stepper.optimizer.state[new]["momentum_buffer"], momentum[keep][:, keep])


def test_pruned_logits_are_cleared() -> None:
    net = operations_net()
    part = OptionLogits(net)
    with torch.no_grad():
        for _, logits in part.named():
            logits.copy_(torch.tensor([1.0, -2.0, 3.0]))
    now = replace(step(net, parts={"architecture": part}), restriction=Restriction(net.space))
    KeepStrongest(2, clear=True)(Context(now, executor(net, images())))
    assert [logits.tolist() for _, logits in part.named()] == [[1.0, 0.0, 3.0]] * 2


@pytest.mark.parametrize(
    ("made", "partial", "said"),
    [
        (lambda: darts(6), 6, "run on 2 of 12 channels and were to run on 1/6 of them"),
        (lambda: darts(4), 6, "run on 3 of 12 channels and were to run on 1/6 of them"),
        (lambda: darts(6), 5, "run on 2 of 12 channels and were to run on 1/5 of them"),
        (lambda: darts(1), 4, "but those of CellNetwork run on all of them"),
        (operations_net, 4, "but those of Sequential run on all of them"),
    ],
)
def test_what_cannot_be_widened_is_refused(made: Callable[[], Supernet], partial: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        WidenPartial(partial=partial).check(made())
    with pytest.raises(UsageError, match="give 1 or more"):
        WidenPartial(partial=0)
