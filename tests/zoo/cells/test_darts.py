"""The cell space of DARTS: what it spans, what its networks are, and what trainings may set in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet import EdgeWeights, Mixture, Supernet, judge, measure, zoo
from supernet.errors import UsageError
from supernet.nn import Decisions, Output
from supernet.nn.laws import LAWS, Law
from supernet.zoo.cells.cell_edge import PartialChannels
from supernet.zoo.cells.cell_ops import OPERATIONS, FactorizedReduce
from zoo_networks import archs_of, count_macs, count_params

TINY: dict[str, Any] = {
    "channels": 4,
    "layers": 3,
    "nodes": 2,
    "operations": ("skip_connect", "sep_conv_3x3", "max_pool_3x3"),
    "stem_multiplier": 1,
    "num_classes": 3,
    "image_size": 8,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "pairs": {},
    "all inputs": {"inputs": "all", "none": True},
    "sets": {"inputs": "subsets", "several_ops": True, "operations": ("skip_connect", "dil_conv_3x3")},
    "any inputs": {"inputs": "any", "operations": ("skip_connect", "dil_conv_3x3")},
    "partial": {"partial": 2},
    "helped": {"aux_skip": True, "auxiliary": True},
    "final": {"affine": True, "nodes": 1, "operations": OPERATIONS},
    "normed": {"norm_all": True, "affine": True, "nodes": 1, "operations": OPERATIONS},
    "imagenet": {"stem": "imagenet", "image_size": 33, "none": True},
}


def tiny(name: str = "pairs", **options: Any) -> Supernet:
    torch.manual_seed(0)
    return zoo.darts(**{**TINY, **VARIANTS[name], **options})


def images(net: Supernet, n: int = 4) -> Tensor:
    assert net.input_shape is not None
    return torch.randn(n, *net.input_shape, generator=torch.Generator().manual_seed(1))


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in VARIANTS if name != "pairs"]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", ["pairs", *SLOW])
def test_networks_keep_the_laws(name: str, law: Law) -> None:
    net = tiny(name, channels=4 if name == "partial" else 2)
    law(net, lambda arch: images(net, 2))


@pytest.mark.parametrize("name", ["pairs", *SLOW])
def test_costs_without_building_are_the_counted_ones(name: str) -> None:
    net = tiny(name)
    archs = archs_of(net, 10)
    assert len({measure.params(net, arch) for arch in archs}) > 4
    for arch in archs:
        subnet = net.extract(arch).eval()
        assert measure.macs(net, arch) == count_macs(subnet, images(net, 1))
        assert measure.params(net, arch) == count_params(subnet)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, 1_076_746_950_455_072_400),
        ({"none": True}, (180 * 64**4) ** 2),
        ({"inputs": "all"}, 7**28),
        ({"inputs": "all", "several_ops": True}, 127**28),
        ({"nodes": 1, "inputs": "subsets"}, (7 + 7 + 49) ** 2),
        ({"nodes": 1, "inputs": "any", "several_ops": True}, (1 + 127 + 127 + 127**2) ** 2),
    ],
)
def test_it_holds_as_many_architectures_as_the_papers_say(options: dict[str, Any], size: int) -> None:
    assert zoo.darts(channels=2, layers=3, **options).space.size == size


def test_nodes_without_inputs_are_zero_in_both_kinds_of_cells() -> None:
    net = tiny("any inputs", channels=2)
    names = [name for name in net.space.names if name.endswith(".inputs")]
    assert len(names) == 4
    first = {name: () if ".2." in name else (1, 2) for name in names}
    arch = net.space.arch({**first, **{name: "skip_connect" for name in net.space.names if ".3<-" in name}})
    outs: list[Tensor] = []
    for cell in net.module.cells:  # type: ignore[union-attr]
        cell.register_forward_hook(lambda *given: outs.append(given[2]))
    net(images(net), arch)
    assert all(not out[:, : out.shape[1] // 2].any() and out[:, out.shape[1] // 2 :].any() for out in outs)
    assert net.extract(arch)(images(net)).shape == (4, 3)


def test_the_choices_are_named_after_nodes_and_edges() -> None:
    space = zoo.darts(channels=2, layers=3).space
    assert len(space) == 34
    assert space.names[:6] == (
        *("normal.2<-0", "normal.2<-1", "normal.3.inputs", "normal.3<-0", "normal.3<-1", "normal.3<-2"),
    )
    assert space.allowed("normal.3.inputs") == ((0, 1), (0, 2), (1, 2))


def test_what_weights_of_operations_draw_sums_to_one() -> None:
    space = tiny(none=True).space
    weights = {choice.name: torch.ones(len(choice)) / len(choice) for choice in space.choices if "<-" in choice.name}
    drawn = judge.Distribution.of_weights(space, weights)
    kept = space.restrict({name: [op for op in space.allowed(name) if op != "none"] for name in weights})
    assert drawn.probability(kept.unindex(range(kept.size))).sum() == pytest.approx(1)


def reference(net: Supernet, arch: Any, x: Tensor) -> Tensor:
    """The network written down a second time, with functions, for operations without surprises."""
    state = net.state_dict()

    def norm(y: Tensor, name: str) -> Tensor:
        return F.batch_norm(y, None, None, state.get(f"{name}.weight"), state.get(f"{name}.bias"), training=True)

    def reduce(y: Tensor, name: str) -> Tensor:
        y = F.relu(y)
        halves = [
            F.conv2d(y[:, :, shift:, shift:], state[f"module.{name}.{half}.weight"], stride=2)
            for shift, half in enumerate(("even", "odd"))
        ]
        return norm(torch.cat(halves, 1), f"module.{name}.norm")

    def separable(y: Tensor, name: str, stride: int) -> Tensor:
        for first, s in ((0, stride), (4, 1)):
            depthwise, pointwise = (state[f"module.{name}.{first + place}.weight"] for place in (1, 2))
            padding = depthwise.shape[-1] // 2
            y = F.conv2d(F.relu(y), depthwise, stride=s, padding=padding, groups=y.shape[1])
            y = norm(F.conv2d(y, pointwise), f"module.{name}.{first + 3}")
        return y

    def edge(y: Tensor, name: str, op: str, stride: int) -> Tensor:
        if op == "skip_connect":
            return y if stride == 1 else reduce(y, f"{name}.op.candidates.skip_connect")
        if op == "max_pool_3x3":
            return norm(F.max_pool2d(y, 3, stride, 1), "no affine parameters")
        return separable(y, f"{name}.op.candidates.{op}", stride)

    before = last = norm(F.conv2d(x, state["module.stem.0.weight"], padding=1), "module.stem.1")
    reduced = False
    for layer in range(3):
        reduces = layer in (1, 2)
        cell, name = ("reduce" if reduces else "normal"), f"cells.{layer}"
        first = reduce(before, f"{name}.before") if reduced else None
        if first is None:
            conv = F.conv2d(F.relu(before), state[f"module.{name}.before.1.weight"])
            first = norm(conv, f"module.{name}.before.2")
        second = norm(F.conv2d(F.relu(last), state[f"module.{name}.last.1.weight"]), f"module.{name}.last.2")
        states = [first, second]
        for node in range(2, 4):
            states.append(
                sum(
                    edge(
                        states[source],
                        f"{name}.nodes.{node - 2}.edges.{source}",
                        arch[f"{cell}.{node}<-{source}"],
                        2 if reduces and source < 2 else 1,
                    )
                    for source in ((0, 1) if node == 2 else arch[f"{cell}.{node}.inputs"])
                )
            )
        before, last, reduced = last, torch.cat(states[2:], 1), reduces
    return F.linear(last.mean((2, 3)), state["module.classifier.weight"], state["module.classifier.bias"])


def test_it_computes_what_the_papers_define() -> None:
    net = tiny(operations=("skip_connect", "sep_conv_3x3", "sep_conv_5x5", "max_pool_3x3")).train()
    x = images(net)
    for arch in net.space.wrap(net.space.population(np.random.default_rng(0), 12)):
        torch.testing.assert_close(net(x, arch), reference(net, arch, x), rtol=1e-4, atol=1e-5)


def test_weights_of_two_thirds_are_the_uniform_mixture_of_pairs() -> None:
    net = tiny(nodes=3).eval()
    x = images(net)
    ops = {c.name: Mixture(torch.full((len(c),), 1 / len(c))) for c in net.space.choices}
    nodes = {name: count for name, count in net.nodes.items() if count == 3}
    assert set(nodes) == {"normal.3.inputs", "reduce.3.inputs"}
    weighed = {**ops, **{name: EdgeWeights(torch.full((3,), 2 / 3)) for name in nodes}}
    torch.testing.assert_close(net(x, Decisions(weighed)), net(x, Decisions(ops)))


def test_gradients_reach_every_weight_of_a_relaxation() -> None:
    for name in ("pairs", "all inputs", "partial"):
        net = tiny(name)
        weights = {c.name: torch.ones(len(c), requires_grad=True) for c in net.space.choices}
        edges = {node: torch.ones(count, requires_grad=True) for node, count in net.nodes.items()}
        relaxed = {name: Mixture(w) for name, w in weights.items()} | {n: EdgeWeights(w) for n, w in edges.items()}
        net(images(net), Decisions(relaxed)).square().sum().backward()
        used = edges | {name: w for name, w in weights.items() if name not in edges}
        assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in used.values())


def test_partial_channels_leave_the_others_alone_and_shuffle() -> None:
    seen: list[Tensor] = []

    class Op(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return 10 * F.max_pool2d(x, 2) if stride == 2 else 10 * x

    x = torch.randn(2, 8, 6, 6)
    for stride in (1, 2):
        out = PartialChannels(lambda _: Op(), 8, 4, stride=stride)(x)
        torch.testing.assert_close(seen[-1], x[:, :2])
        y = F.max_pool2d(x, 2) if stride == 2 else x
        joined = torch.cat([10 * y[:, :2], y[:, 2:]], 1)
        torch.testing.assert_close(out, joined[:, [0, 2, 4, 6, 1, 3, 5, 7]])  # groups of two, one from each in turn


@pytest.mark.parametrize("name", [pytest.param("partial"), pytest.param("helped", marks=pytest.mark.slow)])
def test_a_network_that_is_built_anew_is_as_if_it_had_been_built_so(name: str) -> None:
    """Only what follows from the options is other; choices and their names are the same objects."""
    net = tiny(name)
    options = {"layers": 5, "channels": 8, "affine": True, "aux_skip": True, "auxiliary": False, "partial": 4}
    torch.manual_seed(3)
    built = net.module.rebuilt(**options)
    torch.manual_seed(3)
    expected = zoo.darts(**{**TINY, **VARIANTS[name], **options, "pool_norm": True}).module
    assert str(built) == str(expected)
    found, told = built.state_dict(), expected.state_dict()
    assert list(found) == list(told)
    assert all(torch.equal(tensor, told[name]) for name, tensor in found.items())
    assert Supernet(built).space.fingerprint == net.space.fingerprint
    with pytest.raises(UsageError, match="another 'num_classes'; what may change is channels, layers"):
        net.module.rebuilt(num_classes=4)


def test_every_operation_ends_with_a_batch_norm_where_all_are_to() -> None:
    """As in the one-stage network of ISTA-NAS: scale and shift of identities and poolings are all that is new."""
    options: dict[str, Any] = {**TINY, "nodes": 1, "operations": OPERATIONS, "affine": True}
    bare, full = zoo.darts(**options), zoo.darts(**options, norm_all=True)
    free, with_norm = {"skip_connect", "max_pool_3x3", "avg_pool_3x3"}, 0
    for cell in full.module.cells:
        for edge in cell.nodes[0].edges:
            last = {name: [*op.modules()][-1] for name, op in edge.op.candidates.items()}
            assert set(last) == set(OPERATIONS)
            assert all(isinstance(norm, nn.BatchNorm2d) and norm.affine for norm in last.values())
            reduces = isinstance(edge.op.candidates["skip_connect"], FactorizedReduce)
            with_norm += sum(2 * last[name].num_features for name in free - ({"skip_connect"} if reduces else set()))
    found, before = (sum(p.numel() for p in net.parameters()) for net in (full, bare))
    assert found - before == with_norm
    with pytest.raises(UsageError, match="norm_all=True ends all operations"):
        zoo.darts(norm_all=True, pool_norm=False)


def test_dropout_behind_skips_is_for_the_training_alone_and_spares_reductions() -> None:
    net = tiny().train()
    y = torch.ones(400, 4, 4, 4)
    arch = net.space.smallest()
    assert {op for name, op in arch.options().items() if "<-" in name} - {None} == {"skip_connect"}
    edge, reducing = (net.module.cells[cell].nodes[0].edges[0] for cell in (0, 1))
    with net.active(arch, settings={"skip_dropout": 0.25}):
        out = edge(y)
        assert (out == 0).float().mean() == pytest.approx(0.25, abs=0.02)
        assert (out[out != 0] - 1 / 0.75).abs().max() < 1e-6
        assert (out.flatten(1) == 0).any(1).all(), "values are dropped, and not images"
        wide = torch.randn(4, 8, 4, 4)
        assert torch.equal(reducing(wide), reducing(wide))
        assert torch.equal(net.eval()(y[:2, :3].repeat(1, 1, 2, 2)), net(y[:2, :3].repeat(1, 1, 2, 2)))
        assert torch.equal(edge(y), y)
        net.train()
    with net.active(arch):
        assert torch.equal(edge(y), y)
    with (
        pytest.raises(UsageError, match="skip_dropout is 1; give a probability from 0 to below 1"),
        net.active(arch, settings={"skip_dropout": 1}),
    ):
        edge(y)
    assert not any("Skip" in type(module).__name__ for module in net.extract(arch).modules())


def test_an_auxiliary_skip_adds_what_its_weight_says() -> None:
    net = tiny("helped").eval()
    x, arch = images(net), net.space.smallest()
    outs = {}
    for beta in (0, 0.5, 1):
        with net.active(arch, settings={"aux_skip": beta}):
            outs[beta] = net(x)
    torch.testing.assert_close(outs[0], net(x, arch), rtol=0, atol=0)
    assert len({out.sum().item() for out in outs.values()}) == 3
    edge = net.module.cells[0].nodes[0].edges[0]
    y = torch.randn(2, 4, 4, 4)
    with net.active(arch, settings={"aux_skip": 0.25}):
        torch.testing.assert_close(edge(y), edge.op(y) + 0.25 * y)
        assert not edge.silent
    assert "aux_skip" not in tiny().settings


def test_drop_path_drops_images_in_training_and_spares_the_identity() -> None:
    net = tiny().train()
    edge = net.module.cells[0].nodes[0].edges[0]
    y = torch.randn(400, 4, 4, 4)
    with net.active({"normal.2<-0": "sep_conv_3x3"}, settings={"drop_path": 0.25}):
        out = edge(y)
        kept = out.flatten(1).abs().sum(1) > 0
        assert 0.65 < kept.float().mean() < 0.85
        torch.testing.assert_close(out[kept], edge.op(y)[kept] / 0.75)
        net.eval()
        torch.testing.assert_close(edge(y), edge.op(y))
        net.train()
    with net.active({"normal.2<-0": "skip_connect"}, settings={"drop_path": 0.25}):
        torch.testing.assert_close(edge(y), y)
    with (
        pytest.raises(UsageError, match="drop_path is 1; give a probability from 0 to below 1"),
        net.active({"normal.2<-0": "sep_conv_3x3"}, settings={"drop_path": 1}),
    ):
        edge(y)


def test_the_auxiliary_head_is_for_the_training_alone() -> None:
    net = tiny("helped")
    arch = net.space.largest()
    out = net.train()(images(net), arch)
    assert isinstance(out, Output)
    assert [t.shape for t in (out.logits, *out.aux)] == [(4, 3), (4, 3)]
    assert isinstance(net.eval()(images(net), arch), Tensor)
    for training in (True, False):
        subnet = net.train(training).extract(arch)
        assert isinstance(subnet(images(net)), Tensor)
        assert not any("auxiliary" in name for name, _ in subnet.named_parameters())
    published = zoo.darts(channels=36, layers=3, operations=("skip_connect",), auxiliary=True).module.auxiliary
    assert published.train()(torch.randn(2, 576, 8, 8)).shape == (2, 10)
    assert count_params(published) == 576 * 128 + 256 + 128 * 768 * 4 + 1536 + 768 * 10 + 10
    options: dict[str, Any] = {"stem": "imagenet", "channels": 48, "num_classes": 1000}
    imagenet = zoo.darts(layers=3, operations=("skip_connect",), auxiliary=True, **options).module.auxiliary
    assert imagenet.train()(torch.randn(2, 768, 7, 7)).shape == (2, 1000)
    assert not any(isinstance(layer, nn.BatchNorm2d) and layer.num_features == 768 for layer in imagenet.modules())


def test_stems_reduce_as_published() -> None:
    for options, widths, side in (({}, 48, 32), ({"stem": "imagenet"}, 16, 28)):
        net = zoo.darts(layers=3, nodes=1, operations=("skip_connect",), **options)
        entering: list[torch.Size] = []
        hook = net.module.cells[0].register_forward_hook(lambda _, args, out, seen=entering: seen.append(args[1].shape))
        net.eval()(torch.zeros(1, *net.input_shape), net.space.smallest())
        hook.remove()
        assert entering == [(1, widths, side, side)]


def test_poolings_are_normalised_in_the_searches_alone() -> None:
    for affine, layers in ((False, 2), (True, 0)):
        edge = tiny(affine=affine).module.cells[0].nodes[0].edges[0].op.candidates["max_pool_3x3"]
        assert len(list(edge.children())) == layers


def test_odd_sides_are_halved_upwards_and_even_ones_as_published() -> None:
    reduce = FactorizedReduce(4, 6, affine=False, statistics="batch")
    for side in (7, 8):
        x = torch.randn(2, 4, side, side)
        assert reduce(x).shape == (2, 6, 4, 4)
    y = F.relu(x)
    halves = [F.conv2d(y, reduce.even.weight, stride=2), F.conv2d(y[:, :, 1:, 1:], reduce.odd.weight, stride=2)]
    torch.testing.assert_close(reduce(x), F.batch_norm(torch.cat(halves, 1), None, None, training=True))


def test_a_diagram_shows_the_edges_that_run() -> None:
    net = tiny("all inputs")
    arch = net.space.arch({name: "none" if name != "normal.3<-2" else "sep_conv_3x3" for name in net.space.names})
    edges = [edge for edge in net.module.diagram(arch).edges if edge.label]
    assert [(edge.source, edge.target, edge.label) for edge in edges] == [("normal.2", "normal.3", "sep 3×3")]
    pairs = tiny()
    labels = [edge.label for edge in pairs.module.diagram(pairs.space.smallest()).edges if edge.label]
    assert len(labels) == 2 * 2 * 2
    sets = tiny("sets")
    labels = [edge.label for edge in sets.module.diagram(sets.space.largest()).edges if edge.label]
    assert labels == ["skip + dil 3×3"] * 10


@pytest.mark.slow
@pytest.mark.parametrize("name", ["partial", "helped"])
def test_subnets_become_onnx(name: str, tmp_path: Any) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    net = tiny(name).eval()
    subnet = net.extract(net.space.largest())
    torch.onnx.export(subnet, (images(net),), tmp_path / "subnet.onnx", dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "subnet.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: images(net).numpy()})
    np.testing.assert_allclose(found, subnet(images(net)).detach().numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layers": 2}, "layers=2: a network needs 3 cells"),
        ({"channels": 6, "partial": 4}, "channels=6 is no multiple of partial=4"),
        ({"channels": 0}, "channels is 0; it must be"),
        ({"channels": 2, "partial": 2}, "it has 1 channel. Give the space more channels"),
        ({"inputs": "some"}, "inputs='some' is unknown; use one of 'pairs', 'subsets', 'any', 'all'"),
        ({"stem": "mnist"}, "stem='mnist' is unknown"),
        ({"operations": ("conv",)}, "no operation 'conv'; the operations are"),
        ({"operations": ("none", "skip_connect")}, "'none' by none=True"),
        ({"statistics": "mean"}, "statistics policy 'mean'"),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        zoo.darts(**options)
