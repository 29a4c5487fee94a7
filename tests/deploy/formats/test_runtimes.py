"""OpenVINO and ExecuTorch, where they are installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from measure_networks import blobs, small_net
from supernet import deploy, zoo
from supernet.deploy.formats import Executorch, format_of
from supernet.errors import RunError
from supernet.measure import Calibration

QUICK = Calibration(images=60, batch_size=20)


@pytest.fixture(params=["openvino", "executorch"])
def name(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(
        request.param, reason=f"{request.param} is not installed: pip install 'supernet[{request.param}]'"
    )
    return str(request.param)


def exported(path: Path, name: Any, **options: Any) -> deploy.Exported:
    net = small_net()
    arch = net.space.arch({"width": 8, "op": "conv"})
    return deploy.export(net, arch, path / "net", data=blobs(), calibration=QUICK, formats=(name,), **options)


@pytest.mark.parametrize("batch_size", [None, 1, 5])
def test_the_file_computes_what_the_module_computes(name: str, batch_size: int | None, tmp_path: Path) -> None:
    done = exported(tmp_path, name, batch_size=batch_size)
    for size in (1, 13, 64):
        found = deploy.verify(done.files[0], done.module, blobs().validation, batch_size=size)
        assert (found.agreement, found.images) == (1, 48)
        assert found.max_difference < 1e-5
        assert found.runtime.startswith(f"{name} ")
    opened = format_of(name).open(done.files[0], 1)
    assert opened.batch == batch_size


def test_a_transformer_takes_any_number_of_images(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"widths": (8, 12), "depths": (1, 2), "heads": (1, 2), "head_dim": 4, "patch": 4}
    net = zoo.autoformer(variant="tiny", num_classes=3, in_channels=1, image_size=8, **sizes)
    done = deploy.export(net, net.space.largest(), tmp_path / "net", data=blobs(), formats=(name,))
    for size in (1, 32):
        assert deploy.verify(done.files[0], done.module, blobs().validation, batch_size=size).agreement == 1


def test_a_damaged_file_is_refused(name: str, tmp_path: Path) -> None:
    done = exported(tmp_path, name)
    done.files[0].write_bytes(b"no model")
    with pytest.raises(RunError, match="cannot be loaded"):
        deploy.verify(done.files[0], done.module, blobs().validation)


def test_openvino_names_its_tensors_and_carries_the_architecture(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino", reason="openvino is not installed: pip install 'supernet[openvino]'")
    done = exported(tmp_path, "openvino")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["net.bin", "net.xml"]
    model = openvino.Core().read_model(done.files[0])
    assert ([*model.input(0).names], [*model.output(0).names]) == (["images"], ["logits"])
    assert str(model.input(0).partial_shape) == "[?,1,8,8]"
    net = small_net()
    arch = net.space.from_json(json.loads(model.get_rt_info("supernet.architecture").astype(str)))
    assert arch == net.space.arch({"width": 8, "op": "conv"})


def test_executorch_plans_for_a_largest_batch(tmp_path: Path) -> None:
    pytest.importorskip("executorch", reason="executorch is not installed: pip install 'supernet[executorch]'")
    done = exported(tmp_path, Executorch(largest_batch=24))
    opened = Executorch().open(done.files[0], 1)
    assert (opened.batch, opened.most) == (None, 24)
    assert opened.run(torch.zeros(24, 1, 8, 8))[0].shape == (24, 3)
    assert opened.run(torch.zeros(1, 1, 8, 8))[0].shape == (1, 3)
    with pytest.raises(Exception, match="failed"):
        opened.run(torch.zeros(25, 1, 8, 8))
