"""Where images may come channels last."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from supernet.nn import ElasticConv2d
from supernet.nn.memory_layout import image_layout
from supernet.space import Choice

LAST, FIRST = torch.channels_last, torch.contiguous_format


@pytest.mark.parametrize(
    ("layer", "layout"),
    [
        (nn.Conv2d(4, 8, 1, stride=2), FIRST),
        (nn.Conv2d(16, 8, 1, stride=2, groups=4), FIRST),
        (nn.Conv2d(8, 8, 1, stride=2), LAST),
        (nn.Conv2d(4, 8, 1), LAST),
        (nn.Conv2d(4, 8, 3, stride=2), LAST),
        (ElasticConv2d(Choice("width", (4, 8)), 8, 1, stride=2), FIRST),
        (ElasticConv2d(4, 8, Choice("kernel", (1, 3)), stride=2), FIRST),
        (ElasticConv2d(Choice("width", (8, 16)), 8, 1, stride=2), LAST),
    ],
    ids=str,
)
def test_a_narrow_strided_pointwise_convolution_is_laid_out_contiguously_without_avx512(
    layer: nn.Module, layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert image_layout(nn.Sequential(nn.ReLU(), layer)) is layout
    assert image_layout(layer, "cuda") is LAST
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert image_layout(layer) is LAST


@pytest.mark.slow
def test_a_narrow_chain_trains_in_a_process_of_its_own() -> None:
    code = (
        "import torch; from supernet import zoo, data, fit, methods; torch.manual_seed(0)\n"
        "net = zoo.nasbench_macro(channels=4, head_channels=16, in_channels=1, num_classes=10)\n"
        "fit(net, methods.spos(), data.digits(), steps=40, batch_size=64, progress=False)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
