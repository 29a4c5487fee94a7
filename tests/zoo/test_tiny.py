"""Every space has options by which it is tiny: small, but with choices of every kind, and trainable."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
import torch

from supernet import Supernet, catalog, measure
from supernet.errors import UsageError

TRAINED_TO_SHRINK = ("atomnas", "hr_nas")
SPACES = [entry.name for entry in catalog.own("spaces") if entry.name != "elastic_model"]


def _tiny(name: str) -> Supernet:
    build = catalog.load("spaces", name)
    image: dict[str, Any] = {"image_size": 28, "in_channels": 1, "num_classes": 10}
    takes = inspect.signature(build).parameters
    fits = image if "in_channels" in takes else {"num_classes": 50}
    torch.manual_seed(0)
    net: Supernet = build(**{key: value for key, value in fits.items() if key in takes}, **catalog.tiny(name))
    return net


@pytest.mark.parametrize("name", SPACES)
def test_a_tiny_space_is_small_and_has_choices(name: str) -> None:
    net = _tiny(name)
    assert max(measure.params(net, arch) for arch in (net.space.largest(), net.space.smallest())) < 1_500_000
    assert net.space.size > 50 or name in TRAINED_TO_SHRINK
    usual = inspect.signature(catalog.load("spaces", name)).parameters
    assert all(usual[key].default != value for key, value in catalog.tiny(name).items())


def test_options_are_as_a_configuration_file_has_them() -> None:
    for name in SPACES:
        assert json.loads(json.dumps(catalog.tiny(name))) == catalog.tiny(name)


def test_a_space_of_ones_own_may_be_tiny(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_space_beside.py").write_text(
        "from supernet import zoo\nTINY = {'channels': (2, 3)}\ndef build(): return zoo.nasbench201()\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert catalog.tiny("a_space_beside:build") == {"channels": [2, 3]}


def test_a_space_without_them_is_a_sentence() -> None:
    with pytest.raises(UsageError, match="'elastic_model' has no options by which it is tiny"):
        catalog.tiny("elastic_model")
