"""The worked example of a model of torchvision, from weights to a folder that loads alone."""

import runpy
import sys
from pathlib import Path

import pytest
import torch

from printed import ran

FILE = Path(__file__).parents[2] / "examples" / "pretrained.py"


@pytest.mark.slow
def test_a_model_becomes_smaller_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FILE.parent)
    example = runpy.run_path(str(FILE), run_name="pretrained")
    text, checked = ran("pretrained", tmp_path)
    assert "smallest after training: 0." in text
    assert checked.max_difference < 1e-4
    monkeypatch.syspath_prepend(tmp_path / "small")
    sys.modules.pop("network", None)
    import network

    loaded = network.load()
    assert sum(p.numel() for p in loaded.parameters()) < sum(p.numel() for p in example["model"]().parameters()) / 2
    assert loaded(torch.zeros(1, 1, 8, 8)).shape == (1, 10)
