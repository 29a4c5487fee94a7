"""What the tests of the zoo share: small instances of every space, and an independent counter."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from supernet import Arch, Supernet, measure, zoo
from supernet.zoo import Stage

SMALL: dict[str, tuple[Callable[[], Supernet], tuple[int, ...]]] = {
    "nasbench201": (lambda: zoo.nasbench201(channels=4, cells=1, affine=True), (4, 3, 8, 8)),
    "nasbench201 tracked": (lambda: zoo.nasbench201(channels=4, cells=2, statistics="track"), (4, 3, 7, 7)),
    "nasbench_macro": (lambda: zoo.nasbench_macro(channels=4, head_channels=16), (4, 3, 16, 16)),
    "dna": (
        lambda: zoo.dna(variant="tiny", num_classes=5, in_channels=1, image_size=8, width_multiplier=0.5),
        (4, 1, 8, 8),
    ),
    "donna": (
        lambda: zoo.donna(
            variant="tiny", num_classes=5, in_channels=1, image_size=8, kernels=(3,), activations=("swish",)
        ),
        (4, 1, 8, 8),
    ),
    "densenas": (
        lambda: zoo.densenas(variant="tiny", num_classes=5, in_channels=1, image_size=8, affine=True),
        (4, 1, 8, 8),
    ),
    "fbnetv5": (
        lambda: zoo.fbnetv5(variant="tiny", num_classes=5, in_channels=1, image_size=8, dropout=0),
        (4, 1, 8, 8),
    ),
    "mbconv": (lambda: zoo.mbconv(zero_gamma=False), (4, 1, 8, 8)),
    "mbconv gated": (
        lambda: zoo.mbconv(
            in_channels=3,
            image_size=12,
            stages=(Stage((8, 16), (1, 2), stride=2), Stage((16,), (2,), (3,), (1, 2))),
            stem_width=8,
            squeeze_excite=True,
            activation="hswish",
            statistics="track",
            zero_gamma=False,
        ),
        (4, 3, 12, 12),
    ),
    "ofa_mobilenetv3": (
        lambda: zoo.ofa_mobilenetv3(
            num_classes=5,
            in_channels=1,
            image_size=8,
            width_multiplier=0.1,
            depths=(1, 2),
            resolutions=(6, 8),
            transform=False,  # else a subnet has fewer parameters than the supernet gives gradients to
            dropout=0,
            statistics="track",
        ),
        (4, 1, 8, 8),
    ),
    "nat_mobilenetv3": (
        lambda: zoo.nat_mobilenetv3(
            num_classes=5,
            in_channels=1,
            image_size=8,
            width_multipliers=(0.1, 0.2),
            depths=(1, 2),
            kernels=(3, 5),
            expansions=(2, 3),
            resolutions=(6, 8),
            transform=False,
            statistics="track",
        ),
        (4, 1, 8, 8),
    ),
    "smash": (
        lambda: zoo.smash(
            bank=4,
            inputs=2,
            banks=3,
            operations=(1, 1),  # one each, since operations of a block share a weight
            kernels=(3, 5),
            dilations=(1, 2),
            groups=(1, 2),
            in_channels=1,
            image_size=6,
        ),
        (4, 1, 6, 6),
    ),
    "ofa_resnet50d": (
        lambda: zoo.ofa_resnet50d(
            num_classes=5,
            image_size=8,
            resolutions=(8,),
            width_multiplier=0.0625,
            base_depths=(1, 1, 1, 1),
            further=(0, 1),
            statistics="track",
        ),
        (4, 3, 8, 8),
    ),
    "shufflenetv2_spos": (
        lambda: zoo.shufflenetv2_spos(
            num_classes=5, image_size=8, width_multiplier=0.25, depth_multiplier=0.5, head_width=16, dropout=0
        ),
        (4, 3, 8, 8),
    ),
    "shufflenetv2_spos channels": (
        lambda: zoo.shufflenetv2_spos(
            num_classes=5,
            in_channels=1,
            image_size=7,
            width_multiplier=0.15,
            depth_multiplier=(0.5, 0.25, 0.25, 0.25),
            strides=(1, 2, 1, 1, 2),
            head_width=16,
            channel_search=True,
            affine=True,
            statistics="track",
            dropout=0,
            initialisation="torch",
        ),
        (4, 1, 7, 7),
    ),
    "cream": (
        lambda: zoo.cream(
            variant="tiny", num_classes=5, image_size=8, depths=(1, 1, 2, 1, 1), width_multiplier=0.1, head_width=16
        ),
        (4, 3, 8, 8),
    ),
    "mobilenetv2 proxyless": (
        lambda: zoo.mobilenetv2(
            variant="proxyless", num_classes=5, image_size=8, width_multiplier=0.2, depth_multiplier=0.5, head_width=16
        ),
        (4, 3, 8, 8),
    ),
    "mobilenetv2 greedynas_augmented": (
        lambda: zoo.mobilenetv2(
            variant="greedynas_augmented",
            num_classes=5,
            in_channels=1,
            image_size=7,
            width_multiplier=0.1,
            depth_multiplier=(0.25, 0.5, 0.25, 0.25, 0.25, 1),
            strides=(1, 2, 1, 1, 1, 2, 1),
            head_width=16,
            affine=False,
            statistics="track",
        ),
        (4, 1, 7, 7),
    ),
    "mobilenetv2 cells": (
        lambda: zoo.mobilenetv2(
            cells={"v2": "DARTS_V2", "snas": "SNAS_aggressive"},
            num_classes=5,
            image_size=7,
            width_multiplier=0.1,
            depth_multiplier=0.25,
            strides=(1, 2, 1, 1, 1, 2, 1),
            head_width=16,
            statistics="track",
        ),
        (4, 3, 7, 7),
    ),
    "pi_nas": (
        lambda: zoo.pi_nas(
            num_classes=5,
            image_size=8,
            width_multiplier=0.125,
            depth_multiplier=0.25,
            zero_gamma=False,
            statistics="track",
        ),
        (4, 3, 8, 8),
    ),
    "dynamic_resnet": (
        lambda: zoo.dynamic_resnet(
            num_classes=5,
            image_size=8,
            width_multiplier=0.125,
            depths=((1,), (1, 2), (1,), (1,)),
            zero_gamma=False,
            statistics="track",
        ),
        (4, 3, 8, 8),
    ),
    "mixpath": (
        lambda: zoo.mixpath(paths=3, layers=4, width_multiplier=0.17, head_width=16, num_classes=5, image_size=8),
        (4, 3, 8, 8),
    ),
    "mixpath without shadow": (
        lambda: zoo.mixpath(
            paths=2,
            kernels=(3, 5),
            rates=(2,),
            shadow=False,
            layers=3,
            width_multiplier=0.2,
            head_width=16,
            in_channels=1,
            image_size=7,
            initialisation="torch",
        ),
        (4, 1, 7, 7),
    ),
}


def count_macs(network: nn.Module, x: Tensor) -> int:
    """Multiply-accumulates of convolutions and linear layers for one image, counted while they run."""
    total = 0

    def hook(layer: nn.Module, _: object, out: Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            total += out[0].numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Linear):
            total += layer.weight.numel()

    handles = [layer.register_forward_hook(hook) for layer in network.modules()]
    with torch.no_grad():
        network(x)
    for handle in handles:
        handle.remove()
    return total


def count_params(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def randomise_statistics(network: nn.Module, seed: int) -> None:
    """Give every BatchNorm that tracks statistics, scales or shifts its own random ones."""
    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            with torch.no_grad():
                for tensor in (layer.running_mean, layer.bias):
                    if tensor is not None:
                        tensor.normal_(generator=generator)
                for tensor in (layer.running_var, layer.weight):
                    if tensor is not None:
                        tensor.uniform_(0.5, 2.0, generator=generator)


def archs_of(net: Supernet, n: int) -> list[Arch]:
    """Distinct architectures, the smallest and the largest first."""
    drawn = net.space.wrap(net.space.population(np.random.default_rng(0), n))
    return list(dict.fromkeys([net.space.smallest(), net.space.largest(), *drawn]))


def images(net: Supernet, n: int = 4) -> Tensor:
    """Images for a supernet, always the same."""
    assert net.input_shape is not None
    return torch.randn(n, *net.input_shape, generator=torch.Generator().manual_seed(1))


def costs_are_the_counted_ones(net: Supernet, archs: Sequence[Arch]) -> None:
    """Assert that MACs and parameters that are told without building agree with counting on the subnet."""
    for arch in archs:
        subnet = net.extract(arch).eval()
        assert measure.macs(net, arch) == count_macs(subnet, images(net, 1))
        assert measure.params(net, arch) == count_params(subnet)


def computes_the_same_in_onnx(net: Supernet, arch: Arch, folder: Path) -> None:
    """Assert that a subnet that is exported computes what it computes here; skips without onnxruntime."""
    onnxruntime = pytest.importorskip("onnxruntime")
    subnet, x = net.eval().extract(arch), images(net)
    torch.onnx.export(subnet, (x,), folder / "subnet.onnx", dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(folder / "subnet.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(found, subnet(x).detach().numpy(), atol=1e-4)
