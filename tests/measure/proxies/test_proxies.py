"""Scores without training, against independent formulas."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, jacrev

from measure_networks import blobs, small_net
from supernet import zoo
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.measure.proxies import (
    AZNAS,
    NASWOT,
    SNIP,
    VKDNW,
    EffectiveDepth,
    GradNorm,
    GraSP,
    JaCov,
    Proxy,
    Shortcut,
    SynFlow,
    Untrained,
    ZiCo,
    blocks_of,
    proxy_scores,
    untrained,
)
from supernet.measure.proxies.az_nas import entropy, trainability
from supernet.tasks import Classification

# The mean over the places of a map of one by the number of pixels pooled: 4 in corners, 6 at edges, 9 inside.
POOLED = sum((4 / 4 + 4 * (side - 2) / 6 + (side - 2) ** 2 / 9) / side**2 for side in (8, 4, 2)) / 3


def subject(module: nn.Module, *shape: int, batches: int = 2, images: int = 6) -> Untrained:
    torch.manual_seed(1)
    made = [Batch(torch.randn(images, *shape), torch.arange(images) % 3) for _ in range(batches)]
    return Untrained(module, made, Classification(), 12.0, torch.Generator().manual_seed(0))


def linear_pair() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5, bias=False), nn.Tanh(), nn.Linear(5, 3, bias=False))


def convolutions() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 5, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(5, 3),
    )


def test_sums_over_gradients_are_those_of_autograd() -> None:
    given = subject(linear_pair(), 4)
    weights = list(given.weights.values())
    gradients = torch.autograd.grad(given.loss(given.batches[0]), weights)
    norms = sum(float(gradient.norm()) for gradient in gradients)
    products = sum(float((w.detach() * g).abs().sum()) for w, g in zip(weights, gradients, strict=True))
    assert GradNorm()(given) == pytest.approx(norms)
    assert SNIP()(given) == pytest.approx(products)


def test_grasp_is_the_product_with_the_whole_hessian() -> None:
    given = subject(linear_pair(), 4)
    first, last = given.values.values()
    inputs = given.batches[0].x
    assert isinstance(inputs, torch.Tensor)

    def loss(flat: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(inputs @ flat[:20].reshape(5, 4).T)
        return nn.functional.cross_entropy(hidden @ flat[20:].reshape(3, 5).T, given.batches[0].labels)

    flat = torch.cat([first.flatten(), last.flatten()])
    hessian = torch.func.hessian(loss)(flat)
    gradient = torch.func.grad(loss)(flat)
    assert GraSP()(given) == pytest.approx(-float(flat @ (hessian @ gradient)), rel=1e-4)


def test_synflow_counts_the_weight_of_all_paths_once_per_layer() -> None:
    module = nn.Sequential(nn.Linear(4, 5, bias=False), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3, bias=False))
    first, last = (layer.weight.detach().double().numpy() for layer in (module[0], module[3]))
    paths = sum(abs(last[k, j] * first[j, i]) for i, j, k in product(range(4), range(5), range(3)))
    given = subject(module, 4)
    before = [parameter.clone() for parameter in module.parameters()]
    assert SynFlow()(given) == pytest.approx(math.log(2 * paths))
    assert all(torch.equal(one, other) for one, other in zip(before, module.parameters(), strict=True))
    assert SynFlow()(subject(nn.Sequential(nn.ReLU(), nn.Linear(4, 3)).apply(_zero), 4)) == -math.inf


def _zero(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear):
        nn.init.zeros_(layer.weight)


def test_naswot_counts_states_that_agree() -> None:
    given = subject(nn.Sequential(nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 3)), 4)
    [layer, *_] = given.module.children()
    on = (layer(given.batches[0].x) > 0).numpy()
    kernel = np.array([[sum(a == b for a, b in zip(one, other, strict=True)) for other in on] for one in on])
    assert NASWOT()(given) == pytest.approx(np.linalg.slogdet(kernel)[1])
    with pytest.raises(UsageError, match="counts rectifiers"):
        NASWOT()(subject(linear_pair(), 4))


def test_jacov_of_a_linear_map_is_that_of_equal_jacobians() -> None:
    found = JaCov()(subject(nn.Linear(4, 3), 4))
    sigma = np.array([0.0] * 5 + [6.0]) + 1e-5  # all ones: one eigenvalue of 6
    assert found == pytest.approx(-np.sum(np.log(sigma) + 1 / sigma), rel=1e-2)
    assert JaCov()(subject(linear_pair(), 4)) > found


def test_zico_is_the_ratio_of_mean_and_deviation() -> None:
    given = subject(linear_pair(), 4, batches=3)
    rows = [torch.autograd.grad(given.loss(b), list(given.weights.values())) for b in given.batches]
    expected = 0.0
    for layer in range(2):
        gradients = np.stack([row[layer].numpy().ravel() for row in rows]).astype(np.float64)
        expected += np.log(np.sum(np.abs(gradients).mean(0) / gradients.std(0)))
    assert ZiCo()(given) == pytest.approx(expected)
    with pytest.raises(UsageError, match="two or more"):
        ZiCo()(subject(linear_pair(), 4, batches=1))


def test_entropy_is_that_of_principal_components() -> None:
    feature = torch.randn(8, 5, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    rows = feature.permute(0, 2, 3, 1).reshape(-1, 5).numpy()
    shares = np.linalg.svd(rows - rows.mean(0), compute_uv=False) ** 2
    shares /= shares.sum()
    assert entropy(feature) == pytest.approx(-np.sum(shares * np.log(shares)), abs=1e-6)


def test_trainability_is_highest_where_the_jacobian_keeps_lengths() -> None:
    before = torch.randn(64, 4, 6, 6, requires_grad=True)
    generator = torch.Generator().manual_seed(0)
    rotated = torch.linalg.qr(torch.randn(4, 4, generator=generator))[0]
    kept = trainability(before, torch.einsum("oc,bchw->bohw", rotated, before), generator)
    grown = trainability(before, 3 * torch.einsum("oc,bchw->bohw", rotated, before), generator)
    assert kept == pytest.approx(0, abs=1e-2)
    assert grown == pytest.approx(2 - 3 - 1 / 3, abs=0.1)
    assert trainability(before, before + 0, generator) == -math.inf
    assert trainability(before, torch.randn(64, 4, 6, 6, requires_grad=True), generator) == -math.inf


def test_vkdnw_has_the_information_that_forward_formulas_give() -> None:
    given = subject(convolutions(), 1, 8, 8)
    found = VKDNW().information(given)
    module, x = given.module.eval(), given.batches[0].images
    held = {name: parameter.detach() for name, parameter in module.named_parameters()}

    def logits(entries: dict[str, torch.Tensor]) -> Any:
        put = {n: torch.cat([entries[n], held[n].flatten()[1:]]).reshape(held[n].shape) for n in held}
        return functional_call(module, put, (x,))

    told = jacrev(logits)({name: tensor.flatten()[:1] for name, tensor in held.items()})
    jacobian = torch.cat(list(told.values()), dim=2)
    shares = module(x).detach().softmax(1)
    covariance = torch.diag_embed(shares) - shares[:, :, None] * shares[:, None, :]
    expected = torch.einsum("bcp,bcd,bdq->pq", jacobian, covariance, jacobian) / len(x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-8)
    assert VKDNW()(given)["dimension"] == 7
    parts = {"dimension": np.array([2.0, 1, 2, 2]), "entropy": np.array([0.1, 9, 0.3, 0.1])}
    assert VKDNW().joined(parts).tolist() == [1, 0, 2, 1]


def test_depth_counts_what_lies_on_a_way() -> None:
    net = zoo.nasbench201(in_channels=1, channels=4, cells=1)
    data = blobs()
    every = dict.fromkeys((choice.name for choice in net.space.choices), "nor_conv_3x3")
    whole = net.space.arch(every)
    cut = net.space.arch({**every, "1<-0": "none"} if "1<-0" in every else {**every, next(iter(every)): "none"})
    deep, less = (EffectiveDepth()(untrained(net, arch, data, images=8)) for arch in (whole, cut))
    # An edge into the first inner node goes: its own convolution, and those of the two edges that leave that node.
    assert deep - less == 3 * 3


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kept", [(), ("1<-0",), ("3<-1", "3<-2")])
def test_cells_without_a_way_through_rank_last(kept: tuple[str, ...]) -> None:
    net = zoo.nasbench201(in_channels=1, channels=4, cells=1)
    every = dict.fromkeys((choice.name for choice in net.space.choices), "none")
    dead = net.space.arch({**every, **dict.fromkeys(kept, "nor_conv_3x3")})
    alive = net.space.arch({**every, "3<-0": "nor_conv_3x3"})
    found = proxy_scores(net, [dead, alive], blobs(), ["az_nas", "jacov"], images=8)
    assert found["jacov"][0] < found["jacov"][1]
    assert found["az_nas"][0] < found["az_nas"][1]
    # log of 1e-5 and its inverse, for each example: no example is told from another
    assert found["jacov"][0] == pytest.approx(-8 * (math.log(1e-5) + 1e5))


def test_shortcuts_are_the_mean_diagonal_of_the_jacobians() -> None:
    torch.manual_seed(0)
    first, second = (nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.Tanh(), nn.Conv2d(2, 2, 1)) for _ in range(2))
    last = nn.Sequential(nn.Conv2d(2, 3, 3, stride=2), nn.ReLU())  # of another shape: not compared
    row = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU()), first, second, last, nn.Flatten(), nn.LazyLinear(3)
    )
    given = subject(row, 1, 6, 6)
    row(given.batches[0].x)
    generator = torch.Generator()
    found = 1 + np.mean([Shortcut(images=6)(given) for _ in range(100)])
    generator.manual_seed(0)
    shares = []
    for x, block in ((row[0], first), (row[:2], second)):
        inputs = [x(torch.randn(1, 1, 6, 6, generator=generator))[0].detach() for _ in range(40)]
        diagonals = [
            torch.func.jacrev(lambda one, block=block: block(one[None])[0])(one).reshape(72, 72) for one in inputs
        ]
        shares.append(float(torch.stack(diagonals).diagonal(dim1=1, dim2=2).detach().mean()))
    assert abs(np.mean(shares)) > 0.02
    assert found == pytest.approx(np.mean(shares), abs=0.01)


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ({"3<-0": "skip_connect"}, 1),
        ({"3<-0": "skip_connect", "1<-0": "skip_connect", "3<-1": "skip_connect"}, 2),
        ({"3<-0": "avg_pool_3x3"}, POOLED),
        ({"1<-0": "skip_connect", "3<-1": "avg_pool_3x3"}, POOLED),
        ({"1<-0": "skip_connect"}, 0),
        ({}, 0),
    ],
)
def test_each_way_without_a_layer_is_a_shortcut(kept: dict[str, str], expected: float) -> None:
    net = zoo.nasbench201(in_channels=1, channels=8, cells=1)
    every = {choice.name: "none" for choice in net.space.choices}
    arch = net.space.arch({**every, "2<-0": "nor_conv_3x3", "3<-2": "nor_conv_3x3", **kept})
    given = untrained(net, arch, blobs(), images=8)
    assert Shortcut()(given) == pytest.approx(-abs(1 - expected), abs=0.06)
    assert Shortcut()(untrained(net, arch, blobs(), images=8)) == Shortcut()(untrained(net, arch, blobs(), images=8))


def test_cells_without_weights_are_no_blocks_and_few_blocks_are_refused() -> None:
    net = zoo.nasbench201(in_channels=1, channels=4, cells=1)
    arch = net.space.arch(dict.fromkeys((choice.name for choice in net.space.choices), "skip_connect"))
    dead = net.space.arch({**dict.fromkeys((c.name for c in net.space.choices), "none"), "1<-0": "nor_conv_3x3"})
    assert Shortcut()(untrained(net, dead, blobs(), images=8)) == -1
    assert Shortcut() == Shortcut(images=4)
    assert Shortcut()(untrained(net, arch, blobs(), images=8)) == -math.inf
    with pytest.raises(UsageError, match="Shortcuts lead through blocks"):
        Shortcut()(subject(nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(32, 3)), 1, 4, 4))


def test_a_supernet_is_rated_and_left_as_it_is() -> None:
    net = small_net()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    archs = net.space.wrap(net.space.population(np.random.default_rng(0), 4))
    seen: list[int] = []
    names: list[str | Proxy] = ["grad_norm", "synflow", SNIP()]
    found = proxy_scores(net, archs, blobs(), names, images=8, progress=lambda done, total: seen.append(done))
    again = proxy_scores(net, archs, blobs(), names, images=8)
    assert list(found) == ["grad_norm", "synflow", "snip"]
    assert seen == [1, 2, 3, 4]
    assert all(np.array_equal(found[name], again[name]) for name in found)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert not np.array_equal(found["snip"], proxy_scores(net, archs, blobs(), [SNIP()], images=8, seed=1)["snip"])
    with pytest.raises(UsageError, match="nothing"):
        proxy_scores(net, archs, blobs(), ["nothing"])
    with pytest.raises(UsageError, match="Use fewer"):
        proxy_scores(net, archs, blobs(), ["snip"], images=10_000)


def test_az_nas_joins_its_parts_and_needs_blocks() -> None:
    block = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
    row = nn.Sequential(block, nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()), nn.Flatten(), nn.Linear(256, 3))
    given = subject(row, 1, 8, 8)
    assert list(blocks_of(row)) == ["0", "1"]
    parts = AZNAS()(given)
    assert list(parts) == ["complexity", "expressivity", "progressivity", "trainability"]
    assert parts["complexity"] == 12
    with pytest.raises(UsageError, match="AZ-NAS compares the features of blocks"):
        AZNAS()(subject(nn.Linear(4, 3), 4))


def test_what_one_proxy_changes_or_draws_is_not_seen_by_the_next() -> None:
    """The network is made once, and rated as if it were made for each."""

    class Spoils:
        def __call__(self, subject: Untrained) -> float:
            with torch.no_grad():
                for parameter in subject.module.parameters():
                    parameter.zero_()
            return float(torch.randn((), generator=subject.generator))

    net, data = small_net(), blobs()
    [arch] = net.space.wrap(net.space.population(np.random.default_rng(0), 1))
    together = proxy_scores(net, [arch], data, [Spoils(), "snip", "zico", "naswot"], images=8)
    for name in ("snip", "zico", "naswot"):
        assert proxy_scores(net, [arch], data, [name], images=8)[name] == together[name]
    given = untrained(net, arch, data, images=8)
    first, second = (fresh.noise(fresh.batches[0]).images for fresh in (given.fresh(), given.fresh()))
    assert torch.equal(first, second)
    assert torch.equal(first, given.noise(given.batches[0]).images)
