"""Models of other libraries, and such as users write, made elastic: parity, what is shared, what is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision.models as tv
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.densenet import DenseNet
from torchvision.models.vision_transformer import VisionTransformer

from own_models import IDS, IMAGES, Language, Mlp
from supernet import elastic, measure
from supernet.errors import UsageError
from supernet.nn.laws import LAWS, Law
from supernet.nn.layout import Layout
from supernet.nn.sliced import Sliced, layouts_of
from supernet.pretrained.elastic import ElasticModel
from supernet.pretrained.operations import RULES
from supernet.space import Arch
from zoo_networks import count_params

MODELS: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "resnet18": (lambda: tv.resnet18(num_classes=5), IMAGES),
    "mobilenet_v3_small": (lambda: tv.mobilenet_v3_small(num_classes=5), IMAGES),
    "shufflenet": (lambda: tv.shufflenet_v2_x0_5(num_classes=5), IMAGES),
    "regnet": (lambda: tv.regnet_y_400mf(num_classes=5), IMAGES),
    "densenet": (lambda: DenseNet(8, (2, 2), 16, num_classes=5), IMAGES),
    "convnext": (
        lambda: ConvNeXt([CNBlockConfig(16, 32, 2), CNBlockConfig(32, None, 2)], num_classes=5),
        IMAGES,
    ),
    "vit": (lambda: VisionTransformer(32, 8, 3, 4, 32, 64, num_classes=5), IMAGES),
    "language": (Language, IDS),
    "language by name": (Language, {"input_ids": IDS}),
}


@pytest.fixture(scope="module")
def made() -> Callable[[str], tuple[nn.Module, ElasticModel]]:
    kept: dict[str, tuple[nn.Module, ElasticModel]] = {}

    def make(name: str) -> tuple[nn.Module, ElasticModel]:
        if name not in kept:
            torch.manual_seed(0)
            build, example = MODELS[name]
            model = build().eval()
            for norm in model.modules():
                if isinstance(norm, nn.BatchNorm2d):  # statistics as after a training
                    assert norm.running_mean is not None
                    assert norm.running_var is not None
                    nn.init.normal_(norm.running_mean, std=0.1)
                    nn.init.uniform_(norm.running_var, 0.5, 1.5)
                    nn.init.uniform_(norm.weight, 0.5, 1.5)
                    nn.init.normal_(norm.bias, std=0.1)
            kept[name] = model, elastic(model, example).eval()
        return kept[name]

    return make


def run(module: nn.Module, name: str, **target: Any) -> Tensor:
    example = MODELS[name][1]
    with torch.no_grad():
        found = module(**example, **target) if isinstance(example, dict) else module(example, **target)
    assert isinstance(found, Tensor)
    return found


def archs_of(net: ElasticModel) -> list[Arch]:
    rng = np.random.default_rng(0)
    return [net.space.smallest(), net.space.largest(), *(net.space.sample(rng) for _ in range(3))]


@pytest.mark.parametrize("name", MODELS)
def test_the_largest_subnet_is_the_model_and_any_other_its_own_extraction(name: str, made: Any) -> None:
    model, net = made(name)
    assert torch.equal(run(net, name, target=net.space.largest()), run(model, name))
    assert len(net.space.choices) > 3
    for arch in archs_of(net):
        alone = net.extract(arch)
        torch.testing.assert_close(run(net, name, target=arch), run(alone, name), atol=1e-5, rtol=1e-4)
        for module in alone.modules():
            assert not [base for base in type(module).__mro__ if base.__module__.startswith("supernet.")]
        assert type(alone) is type(model)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "shufflenet", "regnet", "densenet", "vit"])
def test_costs_are_the_counted_ones(name: str, made: Any) -> None:
    _, net = made(name)
    for arch in archs_of(net):
        alone = net.extract(arch)
        assert measure.params(net, arch) == count_params(alone)
        with FlopCounterMode(display=False) as counter:
            alone(IMAGES[:1])  # with a gradient: torch's fast path of attention is not counted
        attention = 2 * 17**2 * 32 * len(alone.encoder.layers) if name == "vit" else 0  # torch leaves it out on CPUs
        assert measure.macs(net, arch) == counter.get_total_flops() / 2 + attention


@pytest.mark.parametrize("depth", [True, "any"])
def test_costs_of_blocks_in_a_list_that_is_iterated_over(depth: Any) -> None:
    """Lists are never called: what calls their blocks is the module around them."""
    net = elastic(Language(), IDS, depth=depth, multiple=1)
    for arch in net.space.enumerate():
        alone = net.extract(arch)
        with FlopCounterMode(display=False) as counter:
            alone(IDS[:1])
        attention = sum(2 * 6**2 * layer.q.out_features for layer in alone.layers if hasattr(layer, "q"))
        assert measure.macs(net, arch) == counter.get_total_flops() / 2 + attention
        assert measure.params(net, arch) == count_params(alone)


class Numbered(nn.Module):
    """A layer with a number that is as large as its width by accident, as transformers' `layer_idx`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer_idx, self.width = width, width
        self.up, self.down = nn.Linear(4, width), nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.up(x).view(len(x), self.width)
        return x + self.down(y) * self.layer_idx


def test_the_number_of_a_layer_is_no_size() -> None:
    model = nn.Sequential(Numbered(6), nn.Linear(4, 4))
    net = elastic(model, torch.randn(2, 4), multiple=1, width=(0.5, 1.0), depth=False)
    small = net.extract(net.space.smallest())
    assert (small[0].width, small[0].layer_idx) == (3, 6)


def masked(net: ElasticModel, model: nn.Module, arch: Arch) -> nn.Module:
    """The model with zeros wherever the architecture uses nothing; an independent reading of what a slice is."""
    twin = copy.deepcopy(model)
    with net.active(arch):
        for name, module in net.module.named_modules():
            for tensor, layouts in layouts_of(module).items():
                whole = getattr(twin.get_submodule(name), tensor)
                for axis, layout in enumerate(layouts):
                    assert isinstance(layout, Layout)
                    gone = torch.ones(layout.size, dtype=torch.bool)
                    gone[layout.positions(lambda one: torch.arange(net.selection.value(one.width)))] = False
                    whole.data.index_fill_(axis, gone.nonzero().flatten(), 0.0)
    return twin


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "shufflenet", "regnet", "densenet", "language"])
def test_a_slice_is_the_model_with_zeros_for_the_rest(name: str, made: Any) -> None:
    """True where no norm takes means over channels; it finds dimensions that were joined wrongly, or not at all."""
    model, whole = made(name)
    tied = ["embed.width"] if name == "language" else []
    net = elastic(model, MODELS[name][1], depth=False, exclude=tied).eval()
    assert [c.name for c in net.space.choices] == [
        c.name for c in whole.space.choices if not c.name.endswith("depth") and c.name != "embed.width"
    ]
    for arch in archs_of(net):
        found, expected = run(net, name, target=arch), run(masked(net, model, arch), name)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_blocks_that_go_are_left_out(made: Any) -> None:
    model, net = made("resnet18")
    arch = net.space.arch({**net.space.largest().options(), "layer2.depth": 1})
    shorter = copy.deepcopy(model)
    shorter.layer2 = shorter.layer2[:1]
    assert torch.equal(run(net, "resnet18", target=arch), run(shorter, "resnet18"))
    conditions = {choice.name: choice.when for choice in net.space.choices}
    assert conditions["layer2.1.conv1.width"] is not None  # a choice of a block that is gone is none
    assert conditions["layer2.0.conv1.width"] is None


def test_any_block_may_go_by_itself() -> None:
    """What is left out of the middle of a ResNet is what its own code without the block computes."""
    model = tv.resnet18(num_classes=4).eval()
    x = torch.randn(2, 3, 32, 32)
    net = elastic(model, x, width=(1.0,), depth="any").eval()
    assert list(net.space.names) == [f"layer{stage}.1.kept" for stage in (1, 2, 3, 4)]
    arch = net.space.arch({**net.space.largest().options(), "layer2.1.kept": 0, "layer1.1.kept": 0})
    del model.layer1[1], model.layer2[1]
    assert torch.equal(net(x, arch), model(x))
    assert torch.equal(net.extract(arch)(x), model(x))


def test_widths_of_a_block_that_is_gone_decide_nothing() -> None:
    net = elastic(tv.resnet18(num_classes=4), torch.randn(2, 3, 32, 32), depth="any")
    gone = net.space.arch({**net.space.largest().options(), "layer3.1.kept": 0})
    assert net.space.arch({**gone.options(), "layer3.1.conv1.width": 128}) == gone


@pytest.mark.parametrize("law", LAWS)
def test_laws(law: Law) -> None:
    torch.manual_seed(0)
    law(elastic(nn.Sequential(Mlp(4, 6), Mlp(4, 6)), torch.randn(2, 4), multiple=1), lambda arch: torch.randn(3, 4))
    net = elastic(Language(), IDS, multiple=1)
    if law.__name__ != "inactive_gets_no_gradient":  # every row of tied embeddings has a gradient by the softmax
        law(net, lambda arch: IDS)


def by_name(net: ElasticModel) -> dict[str, tuple[int, ...]]:
    return {one.name: one.options for one in net.dimensions if not one.why}


def test_what_layers_share_is_one_choice(made: Any) -> None:
    _, net = made("language")
    assert by_name(net) == {
        "layers.depth": (1, 2),
        "embed.width": (8, 12, 16),
        "layers.0.q.heads": (1, 2),
        "layers.1.up.width": (12, 18, 24),
    }
    small = net.extract(net.space.arch({**net.space.largest().options(), "layers.0.q.heads": 1}))
    assert (small.layers[0].q.out_features, small.layers[0].kv.out_features) == (8, 8)
    assert small.head.weight is small.embed.weight


def test_the_table_says_what_stays_and_why(made: Any) -> None:
    _, net = made("language")
    lines = net.table().splitlines()
    assert any(line.split()[:2] == ["layers.1.up.width", "24"] and line.endswith("12, 18, 24") for line in lines)
    assert any("stays: its entries are looked up by number" in line for line in lines)


def test_what_no_operation_reads_cannot_vary() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.unused = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), nn.Linear(8, 5)
            self.register_buffer("copy", torch.ones(6))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.body(x)  # type: ignore[no-any-return]

    net = elastic(Forgetful(), torch.randn(2, 4), width=(0.5, 1.0))
    assert by_name(net) == {"body.0.width": (4, 8)}
    unread = [one.name for one in net.dimensions if one.why == "no operation reads it"]
    assert unread == ["width", "unused.width", "unused.width2", "unused.width3"]
    lines = [line for line in net.table().splitlines() if "no operation reads it" in line]
    assert [line.split() for line in lines] == [
        ["width", "6", "stays:", "no", "operation", "reads", "it"],
        ["unused.width", "…", "width3", "3", "dimensions", "stay:", "no", "operation", "reads", "it"],
    ]


def test_the_dozens_of_dimensions_of_an_lstm_are_one_row() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read, self.out = nn.LSTM(4, 8, num_layers=2), nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(self.read(x)[0])  # type: ignore[no-any-return]

    net = elastic(Reader(), torch.randn(2, 5, 4), multiple=1)
    rows = [line for line in net.table().splitlines() if line.startswith("read.")]
    assert len(rows) == 1
    assert f" {sum(one.name.startswith('read.') for one in net.dimensions)} dimensions" in rows[0]
    assert len(net.table().splitlines()) == 3


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"exclude": "boby.*"}, r"exclude has 'boby\.\*', which fits none of the dimensions of Sequential: .*body\."),
        ({"exclude": ["body.2.*", "body.0"]}, r"'body\.0', which .*: body\.0\.width is one, which 'body\.0\.\*' names"),
        ({"include": ["body.0.*", "layer1"]}, r"include has 'layer1', .*: there are body\.0\.width, body\.2\.width"),
        ({"include": [1]}, "include has 1, which is no pattern"),
        ({"exclude": 1}, "exclude has 1, which is no pattern"),
    ],
)
def test_a_pattern_that_names_nothing_is_refused_with_the_names_that_are_near(asked: Any, error: str) -> None:
    model = nn.Sequential()
    model.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    with pytest.raises(UsageError, match=error):
        elastic(model, torch.randn(2, 4), **asked)


class InPlace(nn.Module):
    """Writes one layer's channels into another's, a row of an image by `row`, and adds nothing."""

    def __init__(self, row: bool) -> None:
        super().__init__()
        self.a, self.b, self.head, self.row = nn.Conv2d(3, 16, 1), nn.Conv2d(3, 16, 1), nn.Conv2d(16, 5, 1), row

    def forward(self, x: Tensor) -> Tensor:
        written, other = self.a(x).clone(), self.b(x)
        if self.row:
            written[:, :, :1] = other[:, :, :1]
        else:
            written.copy_(other)
        nothing = self.a(x).zero_()
        return self.head(written + nothing).mean((2, 3))  # type: ignore[no-any-return]


@pytest.mark.parametrize("row", [True, False])
def test_what_is_written_in_place_has_the_channels_that_it_is_written_over(row: bool) -> None:
    model = InPlace(row)
    net = elastic(model, IMAGES, width=(0.5, 1.0))
    assert by_name(net) == {"a.width": (8, 16)}
    assert torch.equal(net(IMAGES, net.space.largest()), model(IMAGES))
    half = net.extract(net.space.smallest())
    torch.testing.assert_close(half(IMAGES), net(IMAGES, net.space.smallest()))
    assert [half.a.out_channels, half.b.out_channels, half.head.in_channels] == [8, 8, 8]


def test_rules_are_named_after_operations_that_there_are() -> None:
    assert [name for name in RULES if name.endswith("_")] == []  # those in place go by the name without
    assert [name for name in RULES if name != "pointwise" and not hasattr(torch.ops.aten, name)] == []


def test_what_is_asked_for_and_how_it_is_rounded() -> None:
    model = tv.mobilenet_v2(num_classes=5, width_mult=0.5)
    net = elastic(model, IMAGES, width=(0.4, 1.0), depth=False, include=["features.*"], exclude=["features.18*"])
    sizes = by_name(net)
    assert not [name for name in sizes if "depth" in name or name.startswith("features.18")]
    assert all(option % 8 == 0 for options in sizes.values() if options[-1] >= 32 for option in options)
    assert {one.why for one in net.dimensions if one.name == "features.18.0.width"} == {"it was not asked for"}
    shares = by_name(elastic(model, IMAGES, depth=(0.5, 1.0), include=["features.depth"]))
    assert shares == {"features.depth": (10, 19)} or set(shares) == {"features.depth"}


@pytest.mark.parametrize("statistics", ["track", "calibrate", "batch"])
def test_batch_norms_follow_the_policy(statistics: Any) -> None:
    net = elastic(nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 16, 2)),
                  torch.randn(2, 3, 4, 4), multiple=1, statistics=statistics)  # fmt: skip
    norm, x = net.module[1], torch.randn(8, 3, 4, 4)
    before = None if norm._buffers["running_mean"] is None else norm._buffers["running_mean"].clone()
    net.train()(x, net.space.smallest())
    if statistics == "batch":
        assert before is None
        return
    assert before is not None
    moved = (norm._buffers["running_mean"] != before).tolist()
    assert moved == ([True] * 4 + [False] * 4 if statistics == "track" else [False] * 8)


def test_calibration_gives_a_subnet_its_own_statistics(made: Any) -> None:
    from supernet.data import from_arrays

    _, net = made("densenet")
    rng = np.random.default_rng(0)
    data = from_arrays(rng.normal(size=(40, 3, 32, 32)).astype(np.float32), rng.integers(0, 5, 40), name="noise")
    arch = net.space.smallest()
    alone = copy.deepcopy(net.extract(arch))
    policy = measure.Calibration(images=32, batch_size=16)
    with measure.calibrated(net, arch, data, policy), torch.no_grad():
        found = net.module(IMAGES)
    with measure.calibrated(alone, None, data, policy), torch.no_grad():
        torch.testing.assert_close(found, alone(IMAGES), atol=1e-5, rtol=1e-4)


class Deciding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 8)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x)
        return y if y.sum() > 0 else -y


class Drawing(Deciding):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.out(F.dropout(self.layer(x)))
        return y


class Rigid(Deciding):
    """Code with sizes written into it."""

    def __init__(self) -> None:
        super().__init__()
        self.out, self.wide, self.last = nn.Linear(8, 8), nn.Linear(8, 16), nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.out(self.layer(x).view(-1, 8))
        return self.last(self.wide(y.relu()).relu())


class Unknown(Deciding):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.qr(self.layer(x).T @ self.layer(x))[0]


def test_code_that_decides_by_values_is_refused() -> None:
    with pytest.raises(UsageError, match=r"decides by values that depend on its weights \(.* in the model\)"):
        elastic(Deciding(), torch.randn(2, 4))


def test_a_model_that_draws_numbers_is_refused() -> None:
    with pytest.raises(UsageError, match="Drawing does not give the same result twice"):
        elastic(Drawing(), torch.randn(2, 4), multiple=1)


def test_a_size_in_the_code_stays_and_the_rest_varies() -> None:
    net = elastic(Rigid(), torch.randn(2, 4), multiple=1)
    assert set(by_name(net)) == {"out.width", "wide.width"}
    (why,) = [one.why for one in net.dimensions if one.name == "layer.width"]
    assert why.startswith("the code does not run with fewer (")


def test_an_unknown_operation_leaves_what_it_touches() -> None:
    with pytest.raises(UsageError, match=r"Nothing of Unknown can vary: .*the operation linalg_qr in the model"):
        elastic(Unknown(), torch.randn(2, 4), multiple=1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"width": (0.0, 1.0)}, r"width is \(0\.0, 1\.0\); give shares that may be kept, above 0 and up to 1"),
        ({"heads": (2,)}, r"heads is \(2,\); give shares"),
        ({"width": 0.5}, r"width is 0\.5; give shares that may be kept, such as \(0\.5"),
        ({"width": "half"}, r"width is 'half'; give shares"),
        ({"depth": 0.5}, r"depth is 0\.5; give shares"),
        ({"depth": ()}, r"depth is \(\); give shares"),
        ({"depth": "all"}, "depth is 'all'; give True, False, 'any'"),
        ({"multiple": 0}, "multiple is 0; give 1 or more"),
        ({"statistics": "mine"}, "The statistics policy 'mine' does not exist"),
        ({"exclude": ["*"]}, "Nothing of Sequential can vary: .*it was not asked for"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        elastic(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2)), torch.randn(2, 4), **options)


def test_an_example_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="Sequential could not be run on the example: mat1 and mat2"):
        elastic(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2)), torch.randn(2, 5))


def test_the_model_stays_as_it_is() -> None:
    model = tv.resnet18(num_classes=5).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    elastic(model, IMAGES)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert not [module for module in model.modules() if isinstance(module, Sliced)]
    assert not model._forward_hooks


class Shuffled(nn.Module):
    """Halves of the channels are dealt out to four groups: a half may be 6 of 12, and not 9."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.depthwise = nn.Conv2d(3, 24, 1), nn.Conv2d(24, 24, 3, padding=1, groups=24)
        self.out = nn.Linear(24, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.into(x)
        b, c, h, w = x.shape
        first, second = x.view(b, 4, c // 4, h, w).transpose(1, 2).reshape(b, c, h, w).chunk(2, 1)
        return torch.as_tensor(self.out(self.depthwise(torch.cat([second, F.relu(first)], 1)).flatten(2).mean(2)))


class Gated(nn.Module):
    """Residual blocks that gate one half of their channels by the other."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.out = nn.Conv1d(2, 16, 1), nn.Linear(16, 2)
        self.wide = nn.ModuleList(nn.Conv1d(16, 48, 3, padding=1) for _ in range(2))
        self.narrow = nn.ModuleList(nn.Conv1d(24, 16, 1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.into(x)
        for wide, narrow in zip(self.wide, self.narrow, strict=True):
            x = x + narrow(F.glu(wide(x), 1))
        return torch.as_tensor(self.out(x.mean(-1)))


def test_halves_that_gate_each_other_are_one_dimension() -> None:
    model, x = Gated().eval(), torch.randn(2, 2, 20)
    net = elastic(model, x, multiple=1).eval()
    assert {one.name: one.size for one in net.dimensions if not one.why} == {
        "into.width": 16,
        "wide.0.width": 24,
        "wide.1.width": 24,
    }
    assert torch.equal(net(x, net.space.largest()), model(x))
    small = net.extract(net.space.arch({"into.width": 16, "wide.0.width": 12, "wide.1.width": 24}))
    kept = copy.deepcopy(model)  # by hand: the first twelve of either half
    rows = [*range(12), *range(24, 36)]
    weights: dict[str, Tensor] = dict(kept.named_parameters())
    hidden = kept.into(x)
    gated = F.glu(F.conv1d(hidden, weights["wide.0.weight"][rows], weights["wide.0.bias"][rows], padding=1), 1)
    hidden = hidden + F.conv1d(gated, weights["narrow.0.weight"][:, :12], weights["narrow.0.bias"])
    hidden = hidden + kept.narrow[1](F.glu(kept.wide[1](hidden), 1))
    assert torch.allclose(small(x), kept.out(hidden.mean(-1)), atol=1e-6)


class Wide(nn.Module):
    """Refuses to be narrow in both places: each width alone may be halved."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(4, 8), nn.Linear(4, 16), nn.Linear(4, 12)
        self.outs = nn.ModuleList(nn.Linear(size, 2) for size in (8, 16, 12))

    def forward(self, x: Tensor) -> Tensor:
        hidden = [torch.relu(layer(x)) for layer in (self.first, self.second, self.third)]
        if hidden[0].shape[1] + hidden[1].shape[1] <= 12:
            raise ValueError("too narrow")
        return torch.stack([out(one) for out, one in zip(self.outs, hidden, strict=True)]).sum(0)


def test_what_can_vary_alone_but_not_beside_another_stays_and_the_rest_varies() -> None:
    model, x = Wide().eval(), torch.randn(2, 4)
    net = elastic(model, x, width=(0.5, 1.0), multiple=1).eval()
    varies = {one.name for one in net.dimensions if not one.why}
    assert varies == {"first.width", "third.width"}
    (why,) = [one.why for one in net.dimensions if one.name == "second.width"]
    assert why == "not beside what varies already: the code does not run with fewer (too narrow)"
    assert torch.equal(net(x, net.space.largest()), model(x))
    for arch in net.space.enumerate():
        assert torch.allclose(net.extract(arch)(x), net(x, arch), atol=1e-6)


def test_an_option_that_fails_and_is_not_the_smallest_is_a_reason() -> None:
    with pytest.raises(UsageError, match=r"Nothing of Shuffled can vary: .*; the code does not run with fewer"):
        elastic(Shuffled().eval(), torch.randn(2, 3, 6, 6), width=(0.5, 0.75, 1.0))


def test_a_compiled_model_is_the_one_inside() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    compiled: Any = torch.compile(model)
    net = elastic(compiled, torch.randn(2, 4), multiple=1)
    assert [one.name for one in net.dimensions] == ["0.width", "2.width"]
    assert type(net.module) is nn.Sequential


def test_one_pattern_may_stand_alone() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    assert elastic(model, torch.randn(2, 4), exclude="0.*", multiple=1).space.names == ("2.width",)
    assert elastic(model, torch.randn(2, 4), include="0.*", multiple=1).space.names == ("0.width",)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (nn.ReLU, "is an nn.Module, built; got"),
        (torch.jit.script(nn.Linear(4, 2)), "of TorchScript, whose code is not Python any more"),
        (nn.Sequential(nn.LazyLinear(8)), r"0\.weight of Sequential has no size yet, .* Run the model once"),
    ],
)
def test_what_cannot_be_followed_says_what_to_give(model: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        elastic(model, torch.randn(2, 4))
