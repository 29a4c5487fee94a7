"""Subnets as folders that load without this package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.models as tv

from own_models import IDS, IMAGES, Language
from supernet import elastic
from supernet.errors import UsageError
from supernet.pretrained import ElasticModel, save_folder

BUILDS: dict[str, tuple[Any, Any, str, dict[str, Any]]] = {
    "resnet18": (tv.resnet18, IMAGES, "torchvision.models:resnet18", {"num_classes": 5}),
    "mobilenet_v2": (tv.mobilenet_v2, IMAGES, "torchvision.models:mobilenet_v2", {"num_classes": 5, "width_mult": 0.5}),
    "language": (Language, IDS, "own_models:Language", {}),
}


def made(name: str) -> ElasticModel:
    build, example, _, arguments = BUILDS[name]
    torch.manual_seed(0)
    return elastic(build(**arguments), example, multiple=1)


@pytest.mark.parametrize("name", BUILDS)
def test_what_is_loaded_is_the_subnet(name: str, tmp_path: Path) -> None:
    net, (_, example, build, arguments) = made(name), BUILDS[name]
    rng = np.random.default_rng(1)
    for number, arch in enumerate((net.space.smallest(), net.space.sample(rng), net.space.sample(rng))):
        told = save_folder(net, arch, tmp_path / str(number), example=example, build=build, arguments=arguments)
        assert told["difference"] == 0
        assert told["params"] == sum(p.numel() for p in net.extract(arch).parameters())


@pytest.mark.slow
def test_it_loads_in_a_process_that_knows_nothing_of_this_package(tmp_path: Path) -> None:
    net, (_, example, build, arguments) = made("resnet18"), BUILDS["resnet18"]
    arch = net.space.smallest()
    out = tmp_path / "small"
    save_folder(net, arch, out, example=example, build=build, arguments=arguments, scores={"accuracy": 0.75})
    torch.save(IMAGES, tmp_path / "images.pt")
    code = (
        "import sys, torch; sys.modules['supernet'] = None\n"
        f"sys.path.insert(0, {str(out)!r})\n"
        "from network import load\n"
        f"torch.save(load()(torch.load({str(tmp_path / 'images.pt')!r})), {str(tmp_path / 'found.pt')!r})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    expected = net.extract(arch).eval()(IMAGES)
    torch.testing.assert_close(torch.load(tmp_path / "found.pt"), expected, atol=1e-5, rtol=1e-4)
    card = (out / "README.md").read_text()
    assert "| accuracy | 0.75 |" in card
    assert "- layer4.depth: 1" in card


def test_tied_weights_are_written_once_and_loaded_tied(tmp_path: Path) -> None:
    net = made("language")
    save_folder(net, net.space.smallest(), tmp_path / "a", example=IDS, build="own_models:Language")
    sizes = json.loads((tmp_path / "a/sizes.json").read_text())
    assert sizes["tied"] == [["embed.weight", "head.weight"]]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, r"Language is not a model of transformers, so its folder has to say how it is built: give\s+build="),
        ({"build": "own_models"}, "build is 'own_models'; give module:function"),
        ({"build": "own_models:Other"}, "could not be loaded: module 'own_models' has no attribute 'Other'"),
        ({"build": "own_models:Language", "arguments": {"size": 3}}, "could not be loaded: .*unexpected keyword"),
        ({"build": "own_models:Language", "arguments": {"size": {3}}}, "are not what JSON holds"),
        ({"build": "own_models:Mlp", "arguments": {"width": 16, "hidden": 24}}, "could not be loaded"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(options: Any, sentence: str, tmp_path: Path) -> None:
    net = made("language")
    with pytest.raises(UsageError, match=sentence):
        save_folder(net, net.space.smallest(), tmp_path / "a", example=IDS, **options)
    assert not (tmp_path / "a").exists()


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    net = made("language")
    with pytest.raises(UsageError, match=r"holds files already\. Give a new folder"):
        save_folder(net, net.space.smallest(), tmp_path, example=IDS, build="own_models:Language")
    assert (tmp_path / "mine.txt").read_text() == "mine"
