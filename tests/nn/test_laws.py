"""Every layer under the laws, and for each law a layer that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet import (
    Choice,
    ElasticBatchNorm1d,
    ElasticBatchNorm2d,
    ElasticConv1d,
    ElasticConv2d,
    ElasticConvTranspose2d,
    ElasticDepth,
    ElasticGroupNorm,
    ElasticLayerNorm,
    ElasticLinear,
    ElasticResolution,
    InputChoice,
    Mixture,
    OpChoice,
    SubsetChoice,
    Supernet,
    Zero,
)
from supernet.nn import ElasticBatchNorm3d, ElasticConv3d, Mutable, batch_norm
from supernet.nn.laws import (
    LAWS,
    Inputs,
    Law,
    active_restores,
    every_form_of_a_decision_agrees,
    extraction_stands_alone,
    inactive_gets_no_gradient,
    output_is_dense,
    shapes_are_those_of_the_subnet,
    training_commutes,
)
from supernet.nn.mutable import Shape, copy_into
from supernet.nn.subset import Reduce
from supernet.space import subsets

Case = tuple[nn.Module, Inputs]


def image(width: str | int, side: int = 9) -> Inputs:
    return lambda arch: torch.randn(3, arch[width] if isinstance(width, str) else width, side, side)


def conv(**options: Any) -> Callable[[], Case]:
    def build() -> Case:
        width, out = Choice("in", (4, 8, 12)), Choice("out", (4, 8, 16))
        return ElasticConv2d(width, out, **options), image("in", 15)

    return build


def series(kind: Any, kernel: Any, **options: Any) -> Case:
    width, out = Choice("in", (4, 8)), Choice("out", (4, 6))
    sides = (9,) if kind is ElasticConv1d else (5, 6, 4)
    return kind(width, out, kernel, **options), lambda a: torch.randn(2, a["in"], *sides)


def depthwise() -> Case:
    width, expand, kernel = Choice("in", (2, 4)), Choice("expand", (1, 3)), Choice("kernel", (3, 5, 7))
    inner = width * expand
    return ElasticConv2d(inner, inner, kernel, groups=inner), lambda a: torch.randn(2, a["in"] * a["expand"], 9, 9)


def elastic_group_count() -> Case:
    groups = Choice("groups", (1, 2, 4))
    return ElasticConv2d(8, 4, 3, groups=groups), image(8)


def linear(*lead: int) -> Callable[[], Case]:
    width = Choice("in", (3, 6))
    return lambda: (ElasticLinear(width, Choice("out", (2, 5, 7))), lambda a: torch.randn(*lead, a["in"]))


def op_choice() -> Case:
    return OpChoice("op", {"conv": nn.Conv2d(3, 3, 3, padding=1), "skip": nn.Identity(), "none": Zero()}), image(3)


def strided_op_choice() -> Case:
    return OpChoice("op", {"pool": nn.MaxPool2d(2), "none": Zero(2), "conv": nn.Conv2d(3, 3, 2, stride=2)}), image(3, 8)


class Cell(nn.Module):
    """Two nodes over the input and each other, whose edges choose operations; the node's inputs choose edges."""

    def __init__(self, *, choose: bool = True) -> None:
        super().__init__()
        self.nodes = nn.ModuleList()
        for number in range(2):
            sets = subsets(range(number + 1))
            inputs = Choice(f"node{number}", sets) if choose else None
            edges = [
                OpChoice(
                    Choice(
                        f"node{number}<-{source}",
                        ("none", "conv", "skip"),
                        when=None if inputs is None else inputs.is_in([s for s in sets if source in s]),
                    ),
                    {"conv": nn.Conv2d(3, 3, 3, padding=1), "skip": nn.Identity(), "none": Zero()},
                )
                for source in range(number + 1)
            ]
            self.nodes.append(InputChoice(inputs, edges, name=None if choose else f"node{number}"))

    def forward(self, x: Tensor) -> Tensor:
        states = [x]
        for node in self.nodes:
            states.append(node(states))
        return torch.cat(states, 1)


def kernels(reduce: Reduce = "sum") -> Case:
    members = {k: nn.Conv2d(3, 3, k, padding=k // 2) for k in (1, 3, 5)}
    return SubsetChoice(Choice("kernels", subsets((1, 3, 5))), members, reduce=reduce), image(3)


def depth() -> Case:
    return ElasticDepth(Choice("depth", (0, 1, 3)), (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))), image(3)


def network() -> Case:
    width, depth = Choice("width", (4, 8)), Choice("depth", (1, 2))
    blocks = [
        nn.Sequential(
            OpChoice(
                Choice(f"block{i}", ("conv", "skip"), when=None if i == 0 else depth > i),
                {
                    "conv": nn.Sequential(
                        ElasticConv2d(width, width, Choice(f"kernel{i}", (1, 3, 5))), ElasticBatchNorm2d(width)
                    ),
                    "skip": nn.Identity(),
                },
            ),
            nn.Dropout(0.3),
        )
        for i in range(2)
    ]
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), ElasticLayerNorm(width), ElasticLinear(width, 10))
    stem = nn.Sequential(
        ElasticResolution(Choice("side", (6, 8))),
        batch_norm(3, affine=False),
        ElasticConv2d(3, width, bias=False),
        ElasticBatchNorm2d(width, statistics="track"),
    )
    return nn.Sequential(stem, ElasticDepth(depth, blocks), nn.ReLU(), head), image(3, 8)


CASES: dict[str, Callable[[], Case]] = {
    "conv 1": conv(kernel_size=1),
    "conv 1 without bias": conv(kernel_size=1, bias=False),
    "conv 3": conv(kernel_size=3),
    "conv elastic kernel": conv(kernel_size=Choice("kernel", (1, 3, 5, 7))),
    "conv stride": conv(kernel_size=Choice("kernel", (3, 5)), stride=2),
    "conv dilation": conv(kernel_size=Choice("kernel", (1, 3, 5)), dilation=2),
    "conv fixed groups": conv(kernel_size=Choice("kernel", (3, 5)), groups=4),
    "conv fixed groups without bias": conv(kernel_size=1, groups=2, bias=False),
    "conv depthwise": depthwise,
    "conv elastic groups": elastic_group_count,
    "conv of series": lambda: series(ElasticConv1d, Choice("kernel", (3, 5)), groups=2),
    "conv of volumes": lambda: series(ElasticConv3d, (1, 3, 2), stride=2, bias=False),
    "conv transposed": lambda: (
        ElasticConvTranspose2d(Choice("in", (4, 8)), Choice("out", (2, 6)), 3, stride=2, padding=1, output_padding=1),
        image("in"),
    ),
    "linear 2-D": linear(5),
    "linear 3-D": linear(2, 4),
    "batch norm track": lambda: (ElasticBatchNorm2d(Choice("w", (2, 6)), statistics="track"), image("w")),
    "batch norm calibrate": lambda: (ElasticBatchNorm2d(Choice("w", (2, 6))), image("w")),
    "batch norm batch": lambda: (ElasticBatchNorm2d(Choice("w", (2, 6)), statistics="batch"), image("w")),
    "batch norm not affine": lambda: (ElasticBatchNorm2d(Choice("w", (2, 6)), affine=False), image("w")),
    "batch norm of features": lambda: (ElasticBatchNorm1d(Choice("w", (2, 6))), lambda a: torch.randn(5, a["w"])),
    "batch norm of volumes": lambda: (
        ElasticBatchNorm3d(Choice("w", (2, 6))),
        lambda a: torch.randn(2, a["w"], 3, 2, 2),
    ),
    "group norm": lambda: (ElasticGroupNorm(2, Choice("w", (2, 6))), image("w", 3)),
    "group norm of one group": lambda: (ElasticGroupNorm(None, Choice("w", (2, 6))), image("w", 3)),
    "layer norm": lambda: (ElasticLayerNorm(Choice("w", (2, 6))), lambda a: torch.randn(3, 4, a["w"])),
    "layer norm not affine": lambda: (
        ElasticLayerNorm(Choice("w", (2, 6)), affine=False),
        lambda a: torch.randn(3, a["w"]),
    ),
    "op choice": op_choice,
    "op choice stride 2": strided_op_choice,
    "inputs": lambda: (Cell(), image(3)),
    "all inputs": lambda: (Cell(choose=False), image(3)),
    "subset": kernels,
    "subset side by side": lambda: kernels("concat"),
    "depth": depth,
    "resolution bilinear": lambda: (ElasticResolution(Choice("side", (4, 9, 11))), image(3)),
    "resolution bicubic": lambda: (ElasticResolution(Choice("side", (4, 9, 11)), mode="bicubic"), image(3)),
    "network": network,
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("case", CASES)
def test_layers_keep_the_laws(case: str, law: Law) -> None:
    torch.manual_seed(0)
    module, inputs = CASES[case]()
    law(Supernet(module), inputs)


class Sliced(nn.Linear, Mutable):
    """Lawful; each class below breaks one law."""

    def __init__(self) -> None:
        nn.Linear.__init__(self, 4, 6)
        self.width = Choice("width", (2, 6))

    def weights(self) -> tuple[Tensor, Tensor]:
        c = self.selection.value(self.width)
        return self.weight[:c], self.bias[:c]

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, *self.weights())

    def depends_on(self) -> tuple[Choice, ...]:
        return (self.width,)

    def plain(self) -> nn.Module:
        weight, bias = self.weights()
        return copy_into(nn.Linear(4, len(weight), device="meta"), weight=weight, bias=bias)

    def shapes(self) -> dict[str, Shape]:
        return {"weight": (self.width, 4), "bias": (self.width,)}


class WrongSlice(Sliced):
    def forward(self, input: Tensor) -> Tensor:
        c = self.selection.value(self.width)
        return F.linear(input, self.weight[-c:], self.bias[-c:])


class DetachedBias(Sliced):
    def forward(self, input: Tensor) -> Tensor:
        weight, bias = self.weights()
        return F.linear(input, weight, bias.detach())


class Leaking(Sliced):
    def forward(self, input: Tensor) -> Tensor:
        everything = self.weight.sum()
        return super().forward(input) + (everything - everything.detach())


class WrongShape(Sliced):
    def shapes(self) -> dict[str, Shape]:
        return {"weight": (self.width, 5), "bias": (self.width,)}


class Remembering(Sliced):
    widest = 0

    def forward(self, input: Tensor) -> Tensor:
        self.widest = max(self.widest, self.selection.value(self.width))
        return F.linear(input, self.weight[: self.widest], self.bias[: self.widest])


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        (output_is_dense, WrongSlice),
        (training_commutes, DetachedBias),
        (inactive_gets_no_gradient, Leaking),
        (active_restores, Remembering),
        (shapes_are_those_of_the_subnet, WrongShape),
    ],
)
def test_each_law_catches_a_layer_that_breaks_it(law: Law, broken: type[Sliced]) -> None:
    law(Supernet(Sliced()), lambda arch: torch.randn(3, 4))
    with pytest.raises(AssertionError):
        law(Supernet(broken()), lambda arch: torch.randn(3, 4))


class Doubling(OpChoice):
    def _mix(self, x: Tensor, mixture: Mixture) -> Tensor:
        return 2 * super()._mix(x, mixture)


def test_agreement_catches_a_mixture_that_is_not_its_option() -> None:
    ops = {"a": nn.Linear(3, 3), "b": nn.Linear(3, 3)}
    with pytest.raises(AssertionError, match="one-hot mixture"):
        every_form_of_a_decision_agrees(Supernet(Doubling("op", ops)), lambda arch: torch.randn(2, 3))


class Impostor(nn.Linear):
    __module__ = "supernet.zoo.impostor"


def sharing(net: Supernet) -> nn.Module:
    layer = nn.Linear(4, 6)
    layer.weight = net.module.get_parameter("weight")
    return layer.train(net.training)


@pytest.mark.parametrize(
    ("faulty_extract", "message"),
    [
        (lambda net: Impostor(4, 6).train(net.training), "still holds Impostor"),
        (lambda net: nn.Linear(4, 6), "changed its mode"),
        (sharing, "shares 1 tensors"),
    ],
)
def test_standing_alone_catches_a_faulty_extraction(
    monkeypatch: pytest.MonkeyPatch, faulty_extract: Callable[[Supernet], nn.Module], message: str
) -> None:
    monkeypatch.setattr(Supernet, "extract", lambda self, arch: faulty_extract(self))
    with pytest.raises(AssertionError, match=message):
        extraction_stands_alone(Supernet(Sliced()), lambda arch: torch.randn(3, 4))
